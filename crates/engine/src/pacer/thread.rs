//! A pacer's thread: ticks when its clock says so, and rests when no flow has anything to do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::{self, JoinHandle};

use super::Pacer;
use super::realtime::{RealTimeGovernor, Scheduling};
use super::scheduling::schedule_this_thread;
use crate::clock::{Clock, MonotonicClock};
use crate::transport::PacketSink;

/// A running pacer thread.
pub(crate) struct PacerThread {
    signals: Arc<Signals>,
    handle: JoinHandle<()>,
}

#[derive(Default)]
struct Signals {
    /// Set while the thread rests or is about to; whoever sends a command then has to wake it.
    resting: AtomicBool,
    stop: AtomicBool,
}

/// Wakes a resting pacer after commands were queued.
#[derive(Clone)]
pub(crate) struct PacerWaker {
    signals: Arc<Signals>,
    thread: thread::Thread,
}

impl PacerWaker {
    /// Wakes nobody: for tests of a pacer that never gets its turn.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> PacerWaker {
        PacerWaker {
            signals: Arc::default(),
            thread: thread::current(),
        }
    }

    pub(crate) fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.signals.resting.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl PacerThread {
    /// With `realtime`, the thread goes before ordinary ones while it may and its load allows.
    pub(crate) fn spawn<S>(
        number: usize,
        pacer: Pacer<MonotonicClock, S>,
        realtime: bool,
    ) -> io::Result<Self>
    where
        S: PacketSink + Send + 'static,
        S::Handle: Send,
    {
        let signals = Arc::<Signals>::default();
        let seen = Arc::clone(&signals);
        let handle = thread::Builder::new()
            .name(format!("cadenza-pacer-{number}"))
            .spawn(move || {
                MonotonicClock::sharpen_this_thread();
                let governed = realtime.then(|| Governed::begin(&pacer));
                run(pacer, MonotonicClock, &seen, governed);
            })?;
        Ok(PacerThread { signals, handle })
    }

    pub(crate) fn waker(&self) -> PacerWaker {
        PacerWaker {
            signals: Arc::clone(&self.signals),
            thread: self.handle.thread().clone(),
        }
    }

    /// Ends the thread within a period and frees all its flows there.
    pub(crate) fn stop(self) {
        self.signals.stop.store(true, Ordering::SeqCst);
        self.handle.thread().unpark();
        // A panic of the pacer has been printed by the panic hook; there is nothing left to save.
        let _ = self.handle.join();
    }
}

fn run<S: PacketSink>(
    mut pacer: Pacer<MonotonicClock, S>,
    clock: impl Clock,
    signals: &Signals,
    mut governed: Option<Governed>,
) {
    while !signals.stop.load(Ordering::SeqCst) {
        let next = pacer.tick();
        if let Some(governed) = &mut governed {
            governed.observe(&mut pacer);
        }
        match next {
            Some(next_ns) => clock.sleep_until(next_ns),
            None => rest(&pacer, signals),
        }
    }
}

/// Real-time scheduling of this thread, as long as its load allows.
struct Governed(RealTimeGovernor);

impl Governed {
    fn begin<S: PacketSink>(pacer: &Pacer<MonotonicClock, S>) -> Governed {
        let permitted = schedule_this_thread(Scheduling::RealTime);
        pacer.counters().set_realtime(permitted);
        Governed(RealTimeGovernor::default())
    }

    fn observe<S: PacketSink>(&mut self, pacer: &mut Pacer<MonotonicClock, S>) {
        let Some(load) = pacer.take_closed_load() else {
            return;
        };
        if let Some(wanted) = self.0.observe(load) {
            let done = schedule_this_thread(wanted);
            pacer
                .counters()
                .set_realtime(done && wanted == Scheduling::RealTime);
        }
    }
}

/// Waits for a command. The flag is set before the queue is looked at, and the sender queues before
/// it looks at the flag, so one of the two sees the other.
fn rest<C: Clock, S: PacketSink>(pacer: &Pacer<C, S>, signals: &Signals) {
    signals.resting.store(true, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    if !pacer.has_commands() && !signals.stop.load(Ordering::SeqCst) {
        thread::park();
    }
    signals.resting.store(false, Ordering::SeqCst);
}
