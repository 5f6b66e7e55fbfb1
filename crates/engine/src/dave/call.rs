//! One flow's encryption between its callers and the workers: the queue of jobs, and the machine.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::IntoIter;

use cadenza_dave::{
    Dave, DaveEvent, DaveFailure, FrameSession, KeyRing, NO_ENCRYPTION, OpenDave, Output,
    SenderKeys, ServerMessage, Undecryptable,
};

use super::api::DaveTarget;
use super::opener::Received;
use super::pool::{Identities, TimerKey};
use super::status::DaveStatus;
use crate::control::Control;
use crate::event::EngineEvent;
use crate::pacer::Command;
use crate::{EngineError, FlowId};

/// Jobs that may wait for one flow.
const MAX_JOBS: usize = 1_024;
/// Bytes of messages that may wait for one flow.
const MAX_BYTES: usize = 4 << 20;
/// Jobs done before other flows get their turn.
const JOBS_PER_RUN: usize = 16;
/// When a pacer is asked again that had no room for a key.
const RETRY_NS: u64 = 5_000_000;

/// Something for a flow's machine, in the order in which it was asked for.
pub(crate) enum Job {
    /// A session begins. Lives are numbered, so that news of an earlier one are recognised.
    Open { life: u32, target: DaveTarget },
    /// The session is over.
    Close { life: u32 },
    /// Users came and went.
    Members { joined: Vec<u64>, left: Vec<u64> },
    /// The voice gateway said something.
    Message(ServerMessage),
    /// What members say cannot be opened.
    Undecryptable(Undecryptable),
    /// What must never happen.
    #[cfg(test)]
    Panic,
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Job::Open { .. } | Job::Close { .. } | Job::Undecryptable(_) => 0,
            Job::Members { joined, left } => 8 * (joined.len() + left.len()),
            Job::Message(message) => message.payload_len(),
            #[cfg(test)]
            Job::Panic => 0,
        }
    }
}

/// A flow's encryption as control knows it.
pub(crate) struct DaveEntry {
    pub(crate) call: Arc<DaveCall>,
    /// Which session's news count.
    pub(crate) life: u32,
}

impl DaveEntry {
    pub(super) fn new(flow: FlowId) -> DaveEntry {
        DaveEntry {
            call: Arc::new(DaveCall::new(flow)),
            life: 0,
        }
    }
}

/// A flow's encryption as callers and workers share it.
pub(crate) struct DaveCall {
    flow: FlowId,
    inbox: Mutex<Inbox>,
    /// Locked by the one worker that runs the call.
    runner: Mutex<Runner>,
    /// Written by that worker after each run.
    status: Mutex<DaveStatus>,
    received: Arc<Received>,
    encrypted: AtomicBool,
    /// The timer that is set, as the pool's workers know it.
    pub(super) timer: Mutex<Option<TimerKey>>,
}

#[derive(Default)]
struct Inbox {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Whether a job found no room.
    overflowed: bool,
    /// Whether the call waits for a worker or is being run by one.
    scheduled: bool,
    /// Whether a timer came due while the call was being run.
    timer_due: bool,
}

#[derive(Default)]
struct Runner {
    machine: Dave,
    life: u32,
    user: u64,
    /// What the pacer had no room for.
    unsent: Option<SenderKeys>,
}

impl DaveCall {
    fn new(flow: FlowId) -> DaveCall {
        DaveCall {
            flow,
            inbox: Mutex::default(),
            runner: Mutex::default(),
            status: Mutex::default(),
            received: Arc::default(),
            encrypted: AtomicBool::new(false),
            timer: Mutex::default(),
        }
    }

    /// What openers of this flow's media go by.
    pub(crate) fn received(&self) -> &Arc<Received> {
        &self.received
    }

    /// A session begins. Without encryption its frames can be heard from now on, not only once a worker
    /// has come to it.
    pub(super) fn begin(&self, version: u16) {
        if version == NO_ENCRYPTION {
            self.received.set_keys(KeyRing::of_clear_call());
        }
    }

    /// Whether the present session, or the one before, is or was encrypted.
    pub(crate) fn was_encrypted(&self) -> bool {
        self.encrypted.load(Ordering::Relaxed)
    }

    pub(super) fn status(&self) -> DaveStatus {
        let status = lock(&self.status).clone();
        DaveStatus {
            opened: self.received.counts(),
            ..status
        }
    }

    /// Queues a job. `true` when the call has to be handed to a worker.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut inbox = lock(&self.inbox);
        match &job {
            Job::Open { target, .. } if target.version != NO_ENCRYPTION => {
                self.encrypted.store(true, Ordering::Relaxed);
            }
            // What was said to a session that is over matters no more.
            Job::Close { .. } => {
                inbox.jobs.clear();
                inbox.bytes = 0;
                inbox.overflowed = false;
            }
            // It is said again, as long as it is so.
            Job::Undecryptable(_) if inbox.jobs.len() >= MAX_JOBS => return false,
            _ => {}
        }
        let bytes = inbox.bytes + job.bytes();
        // Opening is always taken: its caller has counted on it, and it is one job a session.
        let must = matches!(job, Job::Open { .. });
        if must || (inbox.jobs.len() < MAX_JOBS && bytes <= MAX_BYTES) {
            inbox.bytes = bytes;
            inbox.jobs.push_back(job);
        } else {
            inbox.overflowed = true;
        }
        !std::mem::replace(&mut inbox.scheduled, true)
    }

    /// A timer is due. `true` when the call has to be handed to a worker.
    pub(super) fn timer_due(&self) -> bool {
        let mut inbox = lock(&self.inbox);
        inbox.timer_due = true;
        !std::mem::replace(&mut inbox.scheduled, true)
    }

    /// Does some of what waits, on a worker. Returns when to run again if nothing else comes; the
    /// worker sets that timer and then calls [`rest`](Self::rest).
    pub(super) fn run(
        &self,
        now_ns: u64,
        control: &Control,
        identities: &Identities,
    ) -> Option<u64> {
        let (jobs, overflowed) = self.take_jobs();
        let mut runner = lock(&self.runner);
        let worked = catch_unwind(AssertUnwindSafe(|| {
            runner.work(jobs, overflowed, now_ns, identities);
        }));
        if worked.is_err() {
            runner.machine = Dave::new();
        }
        self.carry_out(&mut runner, control);
        if worked.is_err() {
            let event = DaveEvent::Failed(DaveFailure::LibraryFailed);
            self.tell(&runner, event, control);
        }
        *lock(&self.status) = DaveStatus {
            state: runner.machine.state(),
            user: runner.user,
            counters: runner.machine.counters(),
            ..DaveStatus::default()
        };
        let retry_ns = runner.unsent.map(|_| now_ns + RETRY_NS);
        let due_ns = retry_ns.into_iter().chain(runner.machine.poll_timeout());
        due_ns.min()
    }

    fn take_jobs(&self) -> (Vec<Job>, bool) {
        let mut inbox = lock(&self.inbox);
        inbox.timer_due = false;
        let count = inbox.jobs.len().min(JOBS_PER_RUN);
        let jobs: Vec<Job> = inbox.jobs.drain(..count).collect();
        let bytes: usize = jobs.iter().map(Job::bytes).sum();
        inbox.bytes -= bytes;
        // Told once everything that did find room is done.
        let overflowed = inbox.jobs.is_empty() && std::mem::take(&mut inbox.overflowed);
        (jobs, overflowed)
    }

    /// Ends a run. `false` when more has come meanwhile, and the call has to be run again.
    pub(super) fn rest(&self) -> bool {
        let mut inbox = lock(&self.inbox);
        let idle = inbox.jobs.is_empty() && !inbox.overflowed && !inbox.timer_due;
        inbox.scheduled = !idle;
        idle
    }

    /// Does what the machine wants done.
    fn carry_out(&self, runner: &mut Runner, control: &Control) {
        if let Some(keys) = runner.unsent.take() {
            self.send_keys(runner, keys, control);
        }
        while let Some(output) = runner.machine.poll_output() {
            match output {
                Output::Event(event) => self.tell(runner, event, control),
                Output::Sender(keys) => self.send_keys(runner, keys, control),
                Output::Keys(ring) => self.received.set_keys(ring),
            }
        }
    }

    fn tell(&self, runner: &Runner, event: DaveEvent, control: &Control) {
        let (flow, life) = (self.flow, runner.life);
        control.with(|table, events| {
            let entry = table.flows.get(&flow).and_then(|entry| entry.dave.as_ref());
            if entry.is_some_and(|dave| dave.life == life) {
                events.push(EngineEvent::Dave { flow, event });
            }
        });
    }

    fn send_keys(&self, runner: &mut Runner, keys: SenderKeys, control: &Control) {
        // Deriving the first key allocates and takes a while; the mutex is not held meanwhile.
        let frames = FrameSession::new(keys);
        let life = runner.life;
        let sent = control.with(|table, _| {
            let (entry, pacer) = table.flow(self.flow)?;
            if entry.dave.as_ref().is_none_or(|dave| dave.life != life) {
                return Ok(());
            }
            let place = entry.place;
            pacer.send(Command::Frames { place, frames })
        });
        runner.unsent = match sent {
            Err(EngineError::Busy) => Some(keys),
            Ok(()) | Err(_) => None,
        };
    }
}

impl Runner {
    fn work(&mut self, jobs: Vec<Job>, overflowed: bool, now_ns: u64, identities: &Identities) {
        let mut jobs = jobs.into_iter().peekable();
        while let Some(job) = jobs.next() {
            match job {
                Job::Open { life, target } => {
                    self.life = life;
                    self.user = target.user;
                    // A key for the session before must not be said again in this one.
                    self.unsent = None;
                    let open = OpenDave {
                        version: target.version,
                        user: target.user,
                        channel: target.channel,
                        identity: identities.of(target.user),
                    };
                    self.machine.open(open, now_ns);
                }
                Job::Close { life } => {
                    self.life = life;
                    self.unsent = None;
                    self.machine.close();
                }
                Job::Members { joined, left } => self.machine.members(&joined, &left, now_ns),
                Job::Message(ServerMessage::Proposals(batch)) => {
                    let batch = self.with_those_behind(batch, &mut jobs, now_ns);
                    self.machine
                        .message(ServerMessage::Proposals(batch), now_ns);
                }
                Job::Message(message) => self.machine.message(message, now_ns),
                Job::Undecryptable(report) => self.machine.undecryptable(report, now_ns),
                #[cfg(test)]
                Job::Panic => panic!("as asked"),
            }
        }
        if overflowed {
            self.machine.give_up(DaveFailure::Overloaded);
        }
        if self.machine.poll_timeout().is_some_and(|at| at <= now_ns) {
            self.machine.handle_timeout(now_ns);
        }
    }

    /// A batch of proposals and those that wait behind it: only the last commit of an epoch can be
    /// valid, and each costs milliseconds. That somebody came may as well be known before.
    fn with_those_behind(
        &mut self,
        batch: Vec<u8>,
        jobs: &mut Peekable<IntoIter<Job>>,
        now_ns: u64,
    ) -> Vec<u8> {
        let mut all = batch;
        loop {
            match jobs.peek() {
                Some(Job::Members { joined, left }) if left.is_empty() => {
                    self.machine.members(joined, left, now_ns);
                }
                Some(Job::Message(ServerMessage::Proposals(next))) => {
                    match self.machine.merge_proposals(&all, next) {
                        Some(merged) => all = merged,
                        None => return all,
                    }
                }
                _ => return all,
            }
            jobs.next();
        }
    }
}

/// A panic under one of these mutexes would be a bug, but must not take the other flows with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
