//! The decode workers: a few threads that take turns at all feeds.
//!
//! A feed is in one of three places: in the queue of those that can go on, parked with a time to look
//! again, or in the hands of one worker. Everything that others want from it (a seek, a wake-up, its
//! end) is noted in its [`Entry`], so commands need no queue and never wait.

mod state;

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};
use std::{io, mem};

use cadenza_audio::EncoderSettings;
use crossbeam_channel::{SendTimeoutError, Sender};

use super::config::FeedConfig;
use super::effort::{self, Effort};
use super::frame_source::OpenFrames;
use super::job::{FilterChange, Job, Next, Seek, Wishes};
use super::{FeedEvent, FeedId};
use state::{Entry, Place, State, Task, Ticket};

/// Parked feeds are looked at on a grid of this step, so that many share one wake-up.
const PARK_GRID: Duration = Duration::from_millis(4);
/// The grid for those that have much time.
const WIDE_GRID: Duration = Duration::from_millis(20);
/// How much time that is.
const MUCH_TIME: Duration = Duration::from_millis(100);
/// A feed whose last step took this long is no short work: another worker stands by for the rest.
const LONG_STEP: Duration = Duration::from_micros(300);
/// With so many feeds waiting for their turn, short work is shared too.
const MANY_WAITING: usize = 64;
/// How much later than the worker whose turn it is another one looks, in case that one is held up.
const STAND_IN: Duration = Duration::from_millis(40);
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
            long: true,
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
                    let (next, took) = self.effort.measured(|| job.step(wishes, &self));
                    self.put_back(job, load, (next, took >= LONG_STEP));
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
            if let Some((task, long)) = state.take_runnable() {
                // Somebody has to come for the rest meanwhile, and for what is parked.
                if state.idle > 0 && (long || state.runnable.len() >= MANY_WAITING) {
                    self.work.notify_one();
                }
                return Some(task);
            }
            state = self.wait(state, now);
        }
    }

    /// Waits for a signal, or for the time at which the next parked feed is due.
    ///
    /// Only one worker comes at that time. All of them would find little to do for most of them, and
    /// each wake-up costs as much as several frames.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>, now: Instant) -> MutexGuard<'a, State> {
        state.idle += 1;
        let due = state.parked.peek().map(|Reverse((due, _))| *due);
        let mut state = match due {
            Some(due) if state.watched.is_some_and(|watched| watched <= due) => {
                let wait = due.saturating_duration_since(now) + STAND_IN;
                let waited = self.work.wait_timeout(state, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            Some(due) => {
                state.watched = Some(due);
                let wait = due.saturating_duration_since(now);
                let waited = self.work.wait_timeout(state, wait);
                let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
                if state.watched == Some(due) {
                    state.watched = None;
                }
                state
            }
            // Whoever has the feeds may be held up by one of them.
            None if !state.entries.is_empty() => {
                let waited = self.work.wait_timeout(state, STAND_IN);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.work.wait(state);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        state.idle -= 1;
        state
    }

    fn put_back(&self, job: Box<Job>, load: u64, (next, long): (Next, bool)) {
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
        entry.long = long;
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
                let due = self.on_grid(time);
                state.parked.push(Reverse((due, ticket)));
            }
            Next::Park(_) | Next::Continue => {
                entry.place = Place::Queued(job);
                state.runnable.push_back(ticket);
            }
        }
    }

    /// When to look again at a feed that has so much time.
    fn on_grid(&self, time: Duration) -> Instant {
        let grid = if time < MUCH_TIME {
            PARK_GRID
        } else {
            WIDE_GRID
        };
        let due = self.origin.elapsed() + time;
        let steps = due.as_nanos().div_ceil(grid.as_nanos());
        self.origin + grid * u32::try_from(steps).unwrap_or(u32::MAX)
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
