//! The pool's books: which feed is where, and what is wanted from it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use super::super::FeedId;
use super::super::job::{Job, Wishes};
use super::super::live_encoder::LiveEncoder;
use super::Close;

#[derive(Default)]
pub(super) struct State {
    pub(super) entries: HashMap<FeedId, Entry>,
    pub(super) runnable: VecDeque<Ticket>,
    pub(super) parked: BinaryHeap<Reverse<(Instant, Ticket)>>,
    /// Jobs nobody wants any more: a worker drops them, because that may take a while.
    pub(super) discarded: Vec<Job>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) threads_started: usize,
    pub(super) alive: usize,
    pub(super) waiting: usize,
    /// Workers that wait for something to do.
    pub(super) idle: usize,
    /// When the worker whose turn it is comes back for what is parked.
    pub(super) watched: Option<Instant>,
    pub(super) tickets: u64,
}

/// Names one turn of one feed: a ticket that is not its entry's own is void.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Ticket {
    pub(super) feed: FeedId,
    pub(super) number: u64,
}

pub(super) struct Entry {
    pub(super) track: u32,
    /// Tells this load from an earlier one of the same feed.
    pub(super) load: u64,
    /// The turn this feed waits for.
    pub(super) ticket: u64,
    pub(super) place: Place,
    /// Whether its last step took long, or there was none.
    pub(super) long: bool,
    pub(super) wishes: Wishes,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) encoder: Arc<LiveEncoder>,
    pub(super) pipe: Option<Arc<dyn Close>>,
}

pub(super) enum Place {
    Queued(Box<Job>),
    Parked(Box<Job>),
    /// With a worker; `again` when something came up in the meantime.
    Working {
        again: bool,
    },
}

pub(super) enum Task {
    Step {
        job: Box<Job>,
        load: u64,
        wishes: Wishes,
    },
    Discard(Vec<Job>),
}

impl State {
    pub(super) fn next_number(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Queues a parked feed; notes it for one that a worker has.
    pub(super) fn enqueue(&mut self, feed: FeedId) {
        let number = self.next_number();
        let Some(entry) = self.entries.get_mut(&feed) else {
            return;
        };
        entry.place = match mem::replace(&mut entry.place, Place::Working { again: true }) {
            Place::Parked(job) => {
                entry.ticket = number;
                self.runnable.push_back(Ticket { feed, number });
                Place::Queued(job)
            }
            Place::Queued(job) => Place::Queued(job),
            Place::Working { .. } => Place::Working { again: true },
        };
    }

    pub(super) fn release_due(&mut self, now: Instant) {
        while let Some(Reverse((due, ticket))) = self.parked.peek().copied() {
            if due > now {
                return;
            }
            self.parked.pop();
            let entry = self.entries.get(&ticket.feed);
            if entry.is_some_and(|entry| entry.ticket == ticket.number) {
                self.enqueue(ticket.feed);
            }
        }
    }

    /// The next task, and whether it is likely to take long.
    pub(super) fn take_runnable(&mut self) -> Option<(Task, bool)> {
        while let Some(ticket) = self.runnable.pop_front() {
            let Some(entry) = self.entries.get_mut(&ticket.feed) else {
                continue;
            };
            if entry.ticket != ticket.number {
                continue;
            }
            match mem::replace(&mut entry.place, Place::Working { again: false }) {
                Place::Queued(job) => {
                    let task = Task::Step {
                        job,
                        load: entry.load,
                        wishes: mem::take(&mut entry.wishes),
                    };
                    return Some((task, entry.long));
                }
                other => entry.place = other,
            }
        }
        None
    }

    /// Ends an entry. Its pipe is to be closed once the lock is free.
    pub(super) fn discard(&mut self, entry: Entry) -> Option<Arc<dyn Close>> {
        entry.cancelled.store(true, Ordering::Release);
        if let Place::Queued(job) | Place::Parked(job) = entry.place {
            self.discarded.push(*job);
        }
        entry.pipe
    }
}
