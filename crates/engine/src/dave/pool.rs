//! The few threads on which groups do their work, and the timers of all of them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cadenza_dave::Identity;

use super::call::{DaveCall, Job, lock};
use crate::clock::{Clock, MonotonicClock};
use crate::control::Control;

/// Bots whose keys are kept. Beyond it all are made anew, which only changes the codes people compare.
const MAX_IDENTITIES: usize = 4_096;

/// When a timer is due, and a number that tells it from others due then.
pub(super) type TimerKey = (u64, u64);

/// The way to the workers.
#[derive(Clone)]
pub(crate) struct DavePool(Arc<Shared>);

/// The running workers.
pub(crate) struct DaveThreads {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    identities: Identities,
}

#[derive(Default)]
struct State {
    /// Calls with something to do, each at most once.
    ready: VecDeque<Arc<DaveCall>>,
    /// When to look at which call; at most one timer for each.
    timers: BTreeMap<TimerKey, Weak<DaveCall>>,
    next_timer: u64,
    stop: bool,
}

/// Signature keys by bot: they stay the same over reconnects and calls, and so do verification codes.
#[derive(Default)]
pub(super) struct Identities(Mutex<HashMap<u64, Identity>>);

impl Identities {
    pub(super) fn of(&self, user: u64) -> Identity {
        let mut known = lock(&self.0);
        if known.len() >= MAX_IDENTITIES && !known.contains_key(&user) {
            known.clear();
        }
        known.entry(user).or_insert_with(Identity::generate).clone()
    }
}

impl DavePool {
    /// Queues a job for a call.
    pub(super) fn post(&self, call: &Arc<DaveCall>, job: Job) {
        if call.push(job) {
            lock(&self.0.state).ready.push_back(Arc::clone(call));
            self.0.work.notify_one();
        }
    }
}

impl DaveThreads {
    /// Starts the workers, or none.
    pub(crate) fn start(count: usize, control: &Arc<Control>) -> io::Result<DaveThreads> {
        let mut threads = DaveThreads {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                work: Condvar::new(),
                identities: Identities::default(),
            }),
            handles: Vec::new(),
        };
        for number in 0..count {
            let (shared, control) = (Arc::clone(&threads.shared), Arc::clone(control));
            let spawned = thread::Builder::new()
                .name(format!("cadenza-dave-{number}"))
                .spawn(move || shared.work_on(&control));
            match spawned {
                Ok(handle) => threads.handles.push(handle),
                Err(error) => {
                    threads.stop();
                    return Err(error);
                }
            }
        }
        Ok(threads)
    }

    /// The way to them.
    pub(crate) fn pool(&self) -> DavePool {
        DavePool(Arc::clone(&self.shared))
    }

    /// Ends the threads once each is through with the call in hand.
    pub(crate) fn stop(self) {
        lock(&self.shared.state).stop = true;
        self.shared.work.notify_all();
        for handle in self.handles {
            // A panic has been printed by the panic hook; there is nothing left to save.
            let _ = handle.join();
        }
        let mut state = lock(&self.shared.state);
        state.ready.clear();
        state.timers.clear();
    }
}

impl Shared {
    fn work_on(&self, control: &Control) {
        while let Some(call) = self.next() {
            let due_ns = call.run(MonotonicClock.now_ns(), control, &self.identities);
            // While the call is not at rest no other worker runs it, so no newer timer is lost.
            if let Some(due_ns) = due_ns {
                self.arm(due_ns, &call);
            }
            if !call.rest() {
                lock(&self.state).ready.push_back(call);
            }
        }
    }

    /// The next call with something to do; waits for one. `None` when the workers end.
    fn next(&self) -> Option<Arc<DaveCall>> {
        let mut state = lock(&self.state);
        loop {
            if state.stop {
                return None;
            }
            let now_ns = MonotonicClock.now_ns();
            state.take_due(now_ns);
            if let Some(call) = state.ready.pop_front() {
                return Some(call);
            }
            let due_ns = state
                .timers
                .first_key_value()
                .map(|((due_ns, _), _)| *due_ns);
            state = match due_ns {
                None => self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(due_ns) => {
                    let wait = Duration::from_nanos(due_ns.saturating_sub(now_ns).max(1));
                    let woken = self.work.wait_timeout(state, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn arm(&self, due_ns: u64, call: &Arc<DaveCall>) {
        let mut state = lock(&self.state);
        let key = (due_ns, state.next_timer);
        state.next_timer += 1;
        if let Some(former) = lock(&call.timer).replace(key) {
            state.timers.remove(&former);
        }
        state.timers.insert(key, Arc::downgrade(call));
        // A worker may be waiting for a later one.
        self.work.notify_one();
    }
}

impl State {
    fn take_due(&mut self, now_ns: u64) {
        while let Some(first) = self.timers.first_entry() {
            if first.key().0 > now_ns {
                break;
            }
            if let Some(call) = first.remove().upgrade()
                && call.timer_due()
            {
                self.ready.push_back(call);
            }
        }
    }
}
