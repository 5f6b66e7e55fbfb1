//! The bounded window of bytes between the IO thread, which fills it, and a decoder, which reads it.
//!
//! The reader's position decides what is fetched: a read outside the window moves the window there
//! (a new *target* with a new generation) and the transfer starts over with a range request. The
//! side that fills names the generation it fills for, so bytes of an old target never slip in.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::feed::StreamMetadata;
use crate::feed::error::FeedError;

/// Bytes kept behind the reader, so that a short step back needs no request.
const BEHIND: u64 = 32 * 1024;
/// Announcements that wait for the reader to come to their place.
const MAX_SAID: usize = 32;
/// A step forward of up to this many bytes beyond the window is read through, not requested.
const READ_THROUGH: u64 = 64 * 1024;

pub(crate) struct Pipe {
    state: Mutex<State>,
    /// For the reader: bytes, the end or a failure came.
    readable: Condvar,
    /// For the transfer: there is room again.
    room: Notify,
    /// For the transfer: the target moved, or nobody reads any more.
    moved: Notify,
    window: u64,
    on_ready: Box<dyn Fn() + Send + Sync>,
    on_stall: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    /// Position of the first byte in `data`.
    head: u64,
    data: VecDeque<u8>,
    position: u64,
    generation: u64,
    about: About,
    /// `data` runs up to the end of the source.
    complete: bool,
    /// What the source says, each from its position on; the oldest go when there are too many.
    said: VecDeque<(u64, StreamMetadata)>,
    failure: Option<FeedError>,
    failure_met: bool,
    closed: bool,
    /// What the decoder wants to see before it runs.
    needed: u64,
    wake_wanted: bool,
    reader_waits: bool,
    transfer_waits: bool,
}

/// What the first answer said about the source.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) total: Option<u64>,
    pub(crate) seekable: bool,
    pub(crate) mime: Option<String>,
}

/// Where a transfer begins, and for which generation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Target {
    pub(super) offset: u64,
    pub(super) generation: u64,
}

impl Pipe {
    /// `on_ready` runs on the IO thread when bytes came for a reader that found too few;
    /// `on_stall` when none come although the reader needs them.
    pub(super) fn new(
        window: usize,
        on_ready: Box<dyn Fn() + Send + Sync>,
        on_stall: Box<dyn Fn() + Send + Sync>,
    ) -> Pipe {
        Pipe {
            state: Mutex::new(State::default()),
            readable: Condvar::new(),
            room: Notify::new(),
            moved: Notify::new(),
            window: window as u64,
            on_ready,
            on_stall,
        }
    }

    /// Ends both sides: a waiting read fails, the transfer stops.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.data = VecDeque::new();
        drop(state);
        self.readable.notify_all();
        self.moved.notify_one();
    }

    /// Whether a decoder would find `needed` bytes, or all there are. If not, `on_ready` is called
    /// once it would.
    pub(crate) fn ready(&self, needed: usize) -> bool {
        let mut state = self.lock();
        state.needed = needed as u64;
        self.aim(&mut state);
        let ready = state.ready();
        state.wake_wanted = !ready;
        ready
    }

    pub(crate) fn about(&self) -> About {
        self.lock().about.clone()
    }

    /// The failure of the transfer, once the reader has run into it.
    pub(crate) fn failure_met(&self) -> Option<FeedError> {
        let state = self.lock();
        state.failure.clone().filter(|_| state.failure_met)
    }

    /// What the source says about the place that the reader has come to, once.
    pub(crate) fn take_metadata(&self) -> Option<StreamMetadata> {
        let mut state = self.lock();
        let reached = state.position;
        let due = state
            .said
            .partition_point(|(position, _)| *position <= reached);
        state.said.drain(..due).next_back().map(|(_, said)| said)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the target when the window does not lead to the reader's position.
    fn aim(&self, state: &mut State) {
        let end = state.end();
        let reachable = state.position >= state.head
            && (state.position <= end.saturating_add(READ_THROUGH) || state.complete);
        if reachable || state.at_known_end() || state.failure.is_some() || state.closed {
            self.offer_room(state);
            return;
        }
        state.data.clear();
        state.head = state.position;
        state.complete = false;
        state.generation += 1;
        self.moved.notify_one();
    }

    /// Lets a waiting transfer go on once the window is half empty.
    fn offer_room(&self, state: &mut State) {
        if state.transfer_waits && state.ahead() <= self.window / 2 {
            state.transfer_waits = false;
            self.room.notify_one();
        }
    }
}

/// The reader's side.
impl Pipe {
    /// Reads without waiting; `None` means that bytes are still to come.
    pub(super) fn try_read(&self, out: &mut [u8]) -> Option<io::Result<usize>> {
        let mut state = self.lock();
        self.aim(&mut state);
        self.take(&mut state, out)
    }

    /// Reads, waiting for bytes, the end, a failure or [`close`](Pipe::close).
    pub(super) fn read(&self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = self.lock();
        self.aim(&mut state);
        loop {
            if let Some(result) = self.take(&mut state, out) {
                return result;
            }
            state.reader_waits = true;
            let woken = self.readable.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.reader_waits = false;
        }
    }

    /// Sets the position of the next read. Nothing is requested before that read.
    pub(super) fn seek(&self, to: io::SeekFrom) -> io::Result<u64> {
        let mut state = self.lock();
        let target = match to {
            io::SeekFrom::Start(position) => Some(position),
            io::SeekFrom::Current(delta) => state.position.checked_add_signed(delta),
            io::SeekFrom::End(delta) => {
                let total = state.about.total.ok_or(io::ErrorKind::Unsupported)?;
                total.checked_add_signed(delta)
            }
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        if target != state.position && !state.about.seekable {
            return Err(io::ErrorKind::Unsupported.into());
        }
        state.position = target;
        Ok(target)
    }

    fn take(&self, state: &mut State, out: &mut [u8]) -> Option<io::Result<usize>> {
        if state.closed {
            return Some(Err(io::Error::other("the source was closed")));
        }
        if out.is_empty() || state.at_known_end() {
            return Some(Ok(0));
        }
        let count = state.copy_out(out);
        if count > 0 {
            self.offer_room(state);
            return Some(Ok(count));
        }
        if let Some(failure) = &state.failure {
            let error = io::Error::other(failure.clone());
            state.failure_met = true;
            return Some(Err(error));
        }
        state.complete.then_some(Ok(0))
    }
}

/// The transfer's side.
impl Pipe {
    /// Where to fetch from; `None` once nobody reads any more.
    pub(super) fn target(&self) -> Option<Target> {
        let state = self.lock();
        (!state.closed).then_some(Target {
            offset: state.head,
            generation: state.generation,
        })
    }

    /// Waits until the target is another one, or nobody reads any more.
    pub(super) async fn moved(&self, generation: u64) {
        while self.is_target(generation) {
            self.moved.notified().await;
        }
    }

    /// Waits until the window has room. A listener who pauses lets this take hours.
    pub(super) async fn room(&self) {
        while self.is_full() {
            self.room.notified().await;
        }
    }

    pub(super) fn describe(&self, about: About) {
        self.lock().about = about;
    }

    pub(super) fn append(&self, generation: u64, bytes: &[u8]) {
        self.change(|state| {
            if state.generation == generation && !state.closed {
                state.data.extend(bytes);
                state.forget_behind();
            }
        });
    }

    /// Notes what the source says about the bytes that follow.
    pub(super) fn announce(&self, said: StreamMetadata) {
        let mut state = self.lock();
        let position = state.end();
        if state.said.len() == MAX_SAID {
            state.said.pop_front();
        }
        state.said.push_back((position, said));
    }

    pub(super) fn complete(&self, generation: u64) {
        self.change(|state| {
            if state.generation == generation {
                let end = state.end();
                state.complete = true;
                state.about.total.get_or_insert(end);
            }
        });
    }

    pub(super) fn fail(&self, failure: FeedError) {
        self.change(|state| state.failure = Some(failure));
    }

    /// Tells the listener's side that no bytes come, if it waits for some.
    pub(super) fn note_stall(&self) {
        let state = self.lock();
        let awaited = state.wake_wanted || state.reader_waits;
        drop(state);
        if awaited {
            (self.on_stall)();
        }
    }

    fn is_target(&self, generation: u64) -> bool {
        let state = self.lock();
        !state.closed && state.generation == generation
    }

    /// A full window makes the reader tell when it is half empty.
    fn is_full(&self) -> bool {
        let mut state = self.lock();
        state.transfer_waits = state.ahead() >= self.window;
        state.transfer_waits
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let wake = state.wake_wanted && state.ready();
        if wake {
            state.wake_wanted = false;
        }
        drop(state);
        self.readable.notify_all();
        if wake {
            (self.on_ready)();
        }
    }
}

impl State {
    fn end(&self) -> u64 {
        self.head + self.data.len() as u64
    }

    /// Bytes in the window that the reader has not had.
    fn ahead(&self) -> u64 {
        self.end().saturating_sub(self.position.max(self.head))
    }

    fn ready(&self) -> bool {
        self.closed
            || self.failure.is_some()
            || self.complete
            || self.at_known_end()
            || (self.position >= self.head && self.ahead() >= self.needed)
    }

    fn at_known_end(&self) -> bool {
        self.about.total.is_some_and(|total| self.position >= total)
    }

    fn copy_out(&mut self, out: &mut [u8]) -> usize {
        if self.position < self.head || self.position >= self.end() {
            return 0;
        }
        let skip = (self.position - self.head) as usize;
        let (front, back) = self.data.as_slices();
        let chunk = if skip < front.len() {
            &front[skip..]
        } else {
            &back[skip - front.len()..]
        };
        let count = chunk.len().min(out.len());
        out[..count].copy_from_slice(&chunk[..count]);
        self.position += count as u64;
        self.forget_behind();
        count
    }

    fn forget_behind(&mut self) {
        let keep_from = self.position.saturating_sub(BEHIND).max(self.head);
        let excess = ((keep_from - self.head) as usize).min(self.data.len());
        self.data.drain(..excess);
        self.head += excess as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use super::*;

    fn pipe(window: usize) -> (Pipe, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let on_ready = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        let pipe = Pipe::new(window, Box::new(on_ready), Box::new(|| {}));
        pipe.describe(About {
            total: Some(10_000_000),
            seekable: true,
            mime: None,
        });
        (pipe, wakes)
    }

    fn has_room(pipe: &Pipe) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(pipe.room()).poll(&mut context).is_ready()
    }

    #[test]
    fn holds_no_more_than_its_window_and_asks_for_more_when_half_empty() {
        let (pipe, _) = pipe(1000);
        pipe.append(0, &[1; 999]);
        assert!(has_room(&pipe));
        pipe.append(0, &[1; 1]);
        assert!(!has_room(&pipe));
        let mut out = [0; 400];
        assert_eq!(pipe.try_read(&mut out).map(Result::ok), Some(Some(400)));
        assert!(pipe.lock().transfer_waits);
        assert_eq!(pipe.try_read(&mut out).map(Result::ok), Some(Some(400)));
        assert!(!pipe.lock().transfer_waits && has_room(&pipe));
    }

    #[test]
    fn wakes_once_when_enough_bytes_came() {
        let (pipe, wakes) = pipe(1000);
        assert!(!pipe.ready(100));
        pipe.append(0, &[1; 99]);
        assert_eq!(wakes.load(Ordering::Relaxed), 0);
        pipe.append(0, &[1; 1]);
        pipe.append(0, &[1; 1]);
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert!(pipe.ready(100));
    }

    #[test]
    fn a_far_step_moves_the_target_and_old_bytes_are_refused() {
        let (pipe, _) = pipe(1000);
        pipe.append(0, b"old");
        let mut out = [0; 8];
        assert_eq!(
            pipe.seek(io::SeekFrom::Start(5_000_000)).ok(),
            Some(5_000_000)
        );
        assert!(pipe.try_read(&mut out).is_none());
        let target = pipe.target().expect("open");
        assert_eq!((target.offset, target.generation), (5_000_000, 1));
        pipe.append(0, b"stale");
        pipe.append(1, b"new");
        assert_eq!(pipe.try_read(&mut out).map(Result::ok), Some(Some(3)));
        assert_eq!(&out[..3], b"new");
    }

    #[test]
    fn short_steps_need_no_new_target() {
        let (pipe, _) = pipe(100_000);
        pipe.append(0, &[1; 50_000]);
        let mut out = [0; 50_000];
        assert!(matches!(pipe.try_read(&mut out), Some(Ok(50_000))));
        for (position, data_there) in [(40_000, true), (50_000, false), (90_000, false)] {
            assert!(pipe.seek(io::SeekFrom::Start(position)).is_ok());
            assert_eq!(
                pipe.try_read(&mut out[..1]).is_some(),
                data_there,
                "{position}"
            );
        }
        pipe.append(0, &[2; 50_000]);
        assert!(matches!(pipe.try_read(&mut out[..1]), Some(Ok(1))));
        assert_eq!(
            (out[0], pipe.target().map(|target| target.generation)),
            (2, Some(0))
        );
    }

    #[test]
    fn hands_out_what_came_before_a_failure() {
        let (pipe, _) = pipe(1000);
        pipe.append(0, b"ab");
        pipe.fail(FeedError::new("http_stalled", "x"));
        let mut out = [0; 8];
        assert!(matches!(pipe.try_read(&mut out), Some(Ok(2))));
        assert_eq!(pipe.failure_met(), None);
        assert!(pipe.read(&mut out).is_err());
        assert_eq!(
            pipe.failure_met().map(|error| error.code),
            Some("http_stalled")
        );
    }

    #[test]
    fn seeks_outside_of_all_numbers_are_errors() {
        let (pipe, _) = pipe(1000);
        assert!(pipe.seek(io::SeekFrom::Current(-1)).is_err());
        assert!(pipe.seek(io::SeekFrom::End(i64::MIN)).is_err());
        assert!(pipe.seek(io::SeekFrom::Start(u64::MAX)).is_ok());
        assert!(matches!(pipe.read(&mut [0; 8]), Ok(0)));
        assert!(pipe.seek(io::SeekFrom::Current(i64::MAX)).is_err());
    }

    #[test]
    fn closing_ends_reads() {
        let (pipe, _) = pipe(1000);
        pipe.append(0, b"ab");
        pipe.close();
        assert!(pipe.read(&mut [0; 8]).is_err());
        assert!(pipe.ready(1) && pipe.target().is_none());
    }
}
