//! A thread that puts packets in order, and the bounded way to it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cadenza_proto::rtp::{Sequence, Timestamp};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::hearing::Hearing;
use super::stats::ListenShared;
use super::{ReceiveEvent, ReceiveRequest, RecordRequest};
use crate::FlowId;
use crate::clock::{Clock, MonotonicClock};

/// Packets that may wait for a worker: 0.8 s of two hundred speakers.
const MAX_PACKETS: usize = 8_192;
/// Room beyond that for orders, of which there are few for each flow.
const MAX_ORDERS: usize = 4_096;
/// Jobs done before due times are looked at again.
const JOBS_PER_TURN: usize = 256;

/// An opened packet of a user whom somebody wants to hear.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) flow: FlowId,
    pub(crate) user: u64,
    pub(crate) ssrc: u32,
    pub(crate) sequence: Sequence,
    pub(crate) timestamp: Timestamp,
    pub(crate) at_ns: u64,
    pub(crate) opus: Box<[u8]>,
}

/// What a worker is told besides packets.
pub(crate) enum Order {
    /// What to hand over from now on; `None` is nothing.
    Outputs {
        flow: FlowId,
        shared: Arc<ListenShared>,
        request: Option<ReceiveRequest>,
    },
    /// Begins a recording.
    Record {
        flow: FlowId,
        shared: Arc<ListenShared>,
        id: u32,
        request: RecordRequest,
    },
    /// Ends a recording.
    StopRecording { flow: FlowId, id: u32 },
    /// An SSRC is no longer its user's: what it sent is complete.
    Gone { flow: FlowId, ssrc: u32 },
    /// No SSRC is anybody's any more.
    AllGone { flow: FlowId },
    /// The flow is gone; its recordings end.
    End { flow: FlowId },
    /// Everything ends.
    Stop,
}

enum Job {
    Packet(Packet),
    Order(Order),
}

/// The way to a worker.
#[derive(Clone)]
pub(crate) struct WorkerPort {
    jobs: Sender<Job>,
}

impl WorkerPort {
    /// Hands a packet over; `false` when the worker is too far behind.
    pub(super) fn send(&self, packet: Packet) -> bool {
        self.jobs.len() < MAX_PACKETS && self.jobs.try_send(Job::Packet(packet)).is_ok()
    }

    /// Hands an order over; `false` when even the room kept for orders is used up.
    pub(super) fn order(&self, order: Order) -> bool {
        self.jobs.try_send(Job::Order(order)).is_ok()
    }
}

/// A port without a thread: what is sent can be carried out by hand, in tests.
#[cfg(test)]
pub(super) struct ManualWorker(Receiver<Job>);

#[cfg(test)]
impl ManualWorker {
    pub(super) fn new() -> (WorkerPort, ManualWorker) {
        let (jobs, receiver) = bounded(MAX_PACKETS + MAX_ORDERS);
        (WorkerPort { jobs }, ManualWorker(receiver))
    }

    /// Carries out everything that waits; returns how many packets that were.
    pub(super) fn run(&self, hearing: &mut Hearing, now_ns: u64) -> usize {
        let mut packets = 0;
        for job in self.0.try_iter() {
            packets += usize::from(matches!(job, Job::Packet(_)));
            carry_out(hearing, job, now_ns);
        }
        hearing.tick(now_ns);
        packets
    }
}

/// A running worker.
pub(super) struct Worker {
    port: WorkerPort,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread. `tell` runs on it.
    pub(super) fn spawn(
        name: &str,
        tell: impl FnMut(FlowId, ReceiveEvent) + Send + 'static,
    ) -> io::Result<Worker> {
        let (jobs, receiver) = bounded(MAX_PACKETS + MAX_ORDERS);
        let mut hearing = Hearing::new(Box::new(tell));
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&mut hearing, &receiver))?;
        let port = WorkerPort { jobs };
        Ok(Worker { port, thread })
    }

    pub(super) fn port(&self) -> &WorkerPort {
        &self.port
    }

    /// Does what waits, ends every recording and the thread.
    pub(super) fn stop(self) {
        // Fails only when the thread is gone already.
        let _ = self.port.jobs.send(Job::Order(Order::Stop));
        let _ = self.thread.join();
    }
}

fn run(hearing: &mut Hearing, jobs: &Receiver<Job>) {
    loop {
        let now_ns = MonotonicClock.now_ns();
        let first = match hearing.next_due_ns() {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due_ns) => {
                let wait = Duration::from_nanos(due_ns.saturating_sub(now_ns));
                jobs.recv_deadline(Instant::now() + wait)
            }
        };
        let first = match first {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return hearing.end(MonotonicClock.now_ns()),
        };
        let now_ns = MonotonicClock.now_ns();
        for job in first.into_iter().chain(jobs.try_iter()).take(JOBS_PER_TURN) {
            if matches!(job, Job::Order(Order::Stop)) {
                return hearing.end(now_ns);
            }
            carry_out(hearing, job, now_ns);
        }
        hearing.tick(MonotonicClock.now_ns());
    }
}

/// A panic costs the flow that caused it, not the others.
fn carry_out(hearing: &mut Hearing, job: Job, now_ns: u64) {
    let flow = match &job {
        Job::Packet(packet) => packet.flow,
        Job::Order(
            Order::Outputs { flow, .. }
            | Order::Record { flow, .. }
            | Order::StopRecording { flow, .. }
            | Order::Gone { flow, .. }
            | Order::AllGone { flow }
            | Order::End { flow },
        ) => *flow,
        Job::Order(Order::Stop) => return,
    };
    let done = catch_unwind(AssertUnwindSafe(|| match job {
        Job::Packet(packet) => hearing.packet(packet, now_ns),
        Job::Order(order) => hearing.order(order, now_ns),
    }));
    if done.is_err() {
        hearing.abandon(flow);
    }
}
