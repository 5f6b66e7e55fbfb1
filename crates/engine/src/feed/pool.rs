//! The decode workers: a few threads that take turns at all feeds.
//!
//! A feed is in one of three places: in the queue of those that can go on, parked with a time to look
//! again, or in the hands of one worker. Everything that others want from it (a seek, a wake-up, its
//! end) is noted in its [`Entry`], so commands need no queue and never wait.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

use cadenza_audio::EncoderSettings;
use crossbeam_channel::{SendTimeoutError, Sender};

use super::config::FeedConfig;
use super::effort::{self, Effort};
use super::frame_source::OpenFrames;
use super::job::{FilterChange, Job, Next, Seek, Wishes};
use super::live_encoder::LiveEncoder;
use super::{FeedEvent, FeedId};

/// Parked feeds are looked at on a grid of this step, so that many share one wake-up.
const PARK_GRID: Duration = Duration::from_millis(4);
/// How often a worker that waits for room among the events looks whether it should stop.
const EVENT_PATIENCE: Duration = Duration::from_millis(20);

/// Something a feed's reader may wait for; closing it ends the wait.
pub(super) trait Close: Send + Sync {
    fn close(&self);
}

pub(crate) struct Pool {
    state: Mutex<State>,
    /// Signals work, or the end, to idle workers.
    work: Condvar,
    workers: usize,
    max_waiting: usize,
    longest_park: Duration,
    opener: Arc<dyn OpenFrames>,
    events: Sender<FeedEvent>,
    events_dropped: AtomicU64,
    stopping: AtomicBool,
    effort: Effort,
    origin: Instant,
}

#[derive(Default)]
struct State {
    entries: HashMap<FeedId, Entry>,
    runnable: VecDeque<Ticket>,
    parked: BinaryHeap<Reverse<(Instant, Ticket)>>,
    /// Jobs nobody wants any more: a worker drops them, because that may take a while.
    discarded: Vec<Job>,
    threads: Vec<JoinHandle<()>>,
    threads_started: usize,
    alive: usize,
    waiting: usize,
    tickets: u64,
}

/// Names one turn of one feed: a ticket that is not its entry's own is void.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Ticket {
    feed: FeedId,
    number: u64,
}

struct Entry {
    track: u32,
    /// Tells this load from an earlier one of the same feed.
    load: u64,
    /// The turn this feed waits for.
    ticket: u64,
    place: Place,
    wishes: Wishes,
    cancelled: Arc<AtomicBool>,
    encoder: Arc<LiveEncoder>,
    pipe: Option<Arc<dyn Close>>,
}

enum Place {
    Queued(Box<Job>),
    Parked(Box<Job>),
    /// With a worker; `again` when something came up in the meantime.
    Working {
        again: bool,
    },
}

enum Task {
    Step {
        job: Box<Job>,
        load: u64,
        wishes: Wishes,
    },
    Discard(Vec<Job>),
}

impl Pool {
    pub(super) fn start(
        config: &FeedConfig,
        opener: Arc<dyn OpenFrames>,
        events: Sender<FeedEvent>,
    ) -> io::Result<Arc<Pool>> {
        let pool = Arc::new(Pool {
            state: Mutex::default(),
            work: Condvar::new(),
            workers: config.decode_workers.clamp(1, 64),
            max_waiting: config.max_waiting_reads,
            longest_park: config.longest_park,
            opener,
            events,
            events_dropped: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            effort: Effort::new(config.decode_workers.clamp(1, 64)),
            origin: Instant::now(),
        });
        for _ in 0..pool.workers {
            let started = pool.start_thread(&mut pool.lock());
            if let Err(error) = started {
                pool.stop();
                return Err(error);
            }
        }
        Ok(pool)
    }

    /// A number that tells this load from every other one.
    pub(super) fn next_load(&self) -> u64 {
        self.lock().next_number()
    }

    /// Takes a feed in. An earlier one of the same id is over.
    pub(super) fn insert(&self, job: Box<Job>, load: u64, pipe: Option<Arc<dyn Close>>) {
        let mut state = self.lock();
        let (id, ticket) = (job.id, state.next_number());
        let entry = Entry {
            track: job.track,
            load,
            ticket,
            cancelled: Arc::clone(&job.cancelled),
            encoder: Arc::clone(&job.encoder),
            place: Place::Queued(job),
            wishes: Wishes::default(),
            pipe,
        };
        let former = state.entries.insert(id, entry);
        let pipe = former.and_then(|former| state.discard(former));
        state.runnable.push_back(Ticket {
            feed: id,
            number: ticket,
        });
        drop(state);
        self.work.notify_one();
        close(pipe);
    }

    pub(super) fn cancel(&self, feed: FeedId, track: u32) {
        let mut state = self.lock();
        if state
            .entries
            .get(&feed)
            .is_none_or(|entry| entry.track != track)
        {
            return;
        }
        let entry = state.entries.remove(&feed);
        let pipe = entry.and_then(|entry| state.discard(entry));
        drop(state);
        self.work.notify_one();
        close(pipe);
    }

    pub(super) fn seek(&self, feed: FeedId, track: u32, seek: Seek) {
        self.wish(feed, track, |wishes| wishes.seek = Some(seek));
    }

    /// Changes the filters. Of several changes the last one counts, from where the first was asked for.
    pub(super) fn set_filters(&self, feed: FeedId, track: u32, mut change: Box<FilterChange>) {
        self.wish(feed, track, |wishes| {
            if let Some(earlier) = &wishes.filters {
                change.asked_at = earlier.asked_at;
            }
            wishes.filters = Some(change);
        });
    }

    fn wish(&self, feed: FeedId, track: u32, wish: impl FnOnce(&mut Wishes)) {
        let mut state = self.lock();
        if let Some(entry) = state
            .entries
            .get_mut(&feed)
            .filter(|entry| entry.track == track)
        {
            wish(&mut entry.wishes);
            state.enqueue(feed);
            drop(state);
            self.work.notify_one();
        }
    }

    /// Has effect when the feed encodes its next frame.
    pub(super) fn set_encoder(&self, feed: FeedId, track: u32, settings: &EncoderSettings) {
        let state = self.lock();
        let entry = state.entries.get(&feed);
        if let Some(entry) = entry.filter(|entry| entry.track == track) {
            entry.encoder.store(settings);
        }
    }

    /// Lets a parked feed go on: the bytes it waited for are there.
    pub(super) fn wake(&self, feed: FeedId, load: u64) {
        let mut state = self.lock();
        if state
            .entries
            .get(&feed)
            .is_some_and(|entry| entry.load == load)
        {
            state.enqueue(feed);
            drop(state);
            self.work.notify_one();
        }
    }

    /// Reports an event, waiting for room. Nothing is lost while somebody takes events.
    pub(super) fn report(&self, mut event: FeedEvent) {
        while let Err(SendTimeoutError::Timeout(back)) =
            self.events.send_timeout(event, EVENT_PATIENCE)
        {
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            event = back;
        }
    }

    /// Reports an event that may be lost when there is no room; the loss is counted.
    pub(super) fn report_in_passing(&self, event: FeedEvent) {
        if self.events.try_send(event).is_err() {
            self.events_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn events_dropped(&self) -> u64 {
        self.events_dropped.load(Ordering::Relaxed)
    }

    pub(super) fn longest_park(&self) -> Duration {
        self.longest_park
    }

    pub(super) fn effort(&self) -> &Effort {
        &self.effort
    }

    pub(super) fn opener(&self) -> Arc<dyn OpenFrames> {
        Arc::clone(&self.opener)
    }

    /// Runs `wait` on the calling worker while another thread takes its place among the workers.
    ///
    /// `None`, without running `wait`, when too many wait already or no thread can be had.
    pub(super) fn while_another_thread_works<T>(
        self: &Arc<Self>,
        wait: impl FnOnce() -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        if state.waiting >= self.max_waiting {
            return None;
        }
        if state.alive - state.waiting <= self.workers && self.start_thread(&mut state).is_err() {
            return None;
        }
        state.waiting += 1;
        drop(state);
        // Counted down by a guard, because a panic may pass through.
        let _waiting = Waiting(self);
        Some(effort::not_working(wait))
    }

    /// Ends all feeds and joins all threads. Idempotent.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let mut state = self.lock();
        let entries = mem::take(&mut state.entries);
        let pipes: Vec<_> = entries
            .into_values()
            .map(|entry| state.discard(entry))
            .collect();
        drop(state);
        pipes.into_iter().for_each(close);
        self.work.notify_all();
        let threads = mem::take(&mut self.lock().threads);
        for thread in threads {
            // Workers contain the panics of decoders; there is no other result to look at.
            let _ = thread.join();
        }
        let discarded = mem::take(&mut self.lock().discarded);
        drop(discarded);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if self.stopping.load(Ordering::Acquire) {
            return Ok(());
        }
        let pool = Arc::clone(self);
        let name = format!("cadenza-decode-{}", state.threads_started);
        let thread = Builder::new().name(name).spawn(move || pool.run())?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.threads_started += 1;
        state.alive += 1;
        Ok(())
    }

    fn run(self: Arc<Self>) {
        while let Some(task) = self.next_task() {
            match task {
                Task::Discard(jobs) => drop(jobs),
                Task::Step {
                    mut job,
                    load,
                    wishes,
                } => {
                    let next = self.effort.measured(|| job.step(wishes, &self));
                    self.put_back(job, load, next);
                }
            }
        }
    }

    /// Waits for something to do; `None` when this thread is to end.
    fn next_task(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            let surplus = state.alive - state.waiting > self.workers;
            if surplus || self.stopping.load(Ordering::Acquire) {
                state.alive -= 1;
                // The wake-up that came here may have been meant for work.
                self.work.notify_one();
                return None;
            }
            if !state.discarded.is_empty() {
                return Some(Task::Discard(mem::take(&mut state.discarded)));
            }
            let now = Instant::now();
            state.release_due(now);
            if let Some(task) = state.take_runnable() {
                return Some(task);
            }
            state = match state.parked.peek() {
                Some(Reverse((due, _))) => {
                    let wait = due.saturating_duration_since(now);
                    let waited = self.work.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.work.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    fn put_back(&self, job: Box<Job>, load: u64, next: Next) {
        let mut state = self.lock();
        let id = job.id;
        let ticket = state.next_number();
        let Some(entry) = state
            .entries
            .get_mut(&id)
            .filter(|entry| entry.load == load)
        else {
            drop(state);
            return drop(job);
        };
        let again =
            matches!(entry.place, Place::Working { again: true }) || !entry.wishes.is_empty();
        entry.ticket = ticket;
        let ticket = Ticket {
            feed: id,
            number: ticket,
        };
        match next {
            Next::Drop => {
                state.entries.remove(&id);
                drop(state);
                drop(job);
            }
            Next::Park(time) if !again => {
                entry.place = Place::Parked(job);
                let due = self.on_grid(Instant::now() + time);
                state.parked.push(Reverse((due, ticket)));
            }
            Next::Park(_) | Next::Continue => {
                entry.place = Place::Queued(job);
                state.runnable.push_back(ticket);
            }
        }
    }

    fn on_grid(&self, due: Instant) -> Instant {
        let steps = (due - self.origin)
            .as_nanos()
            .div_ceil(PARK_GRID.as_nanos());
        self.origin + PARK_GRID * u32::try_from(steps).unwrap_or(u32::MAX)
    }
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Queues a parked feed; notes it for one that a worker has.
    fn enqueue(&mut self, feed: FeedId) {
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

    fn release_due(&mut self, now: Instant) {
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

    fn take_runnable(&mut self) -> Option<Task> {
        while let Some(ticket) = self.runnable.pop_front() {
            let Some(entry) = self.entries.get_mut(&ticket.feed) else {
                continue;
            };
            if entry.ticket != ticket.number {
                continue;
            }
            match mem::replace(&mut entry.place, Place::Working { again: false }) {
                Place::Queued(job) => {
                    return Some(Task::Step {
                        job,
                        load: entry.load,
                        wishes: mem::take(&mut entry.wishes),
                    });
                }
                other => entry.place = other,
            }
        }
        None
    }

    /// Ends an entry. Its pipe is to be closed once the lock is free.
    fn discard(&mut self, entry: Entry) -> Option<Arc<dyn Close>> {
        entry.cancelled.store(true, Ordering::Release);
        if let Place::Queued(job) | Place::Parked(job) = entry.place {
            self.discarded.push(*job);
        }
        entry.pipe
    }
}

fn close(pipe: Option<Arc<dyn Close>>) {
    if let Some(pipe) = pipe {
        pipe.close();
    }
}

struct Waiting<'a>(&'a Pool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}
