//! The bounded window of bytes between the IO thread, which fills it, and a decoder, which reads it.
//!
//! The reader's position decides what is fetched: a read outside the window moves the window there
//! (a new *target* with a new generation) and the transfer starts over with a range request. The
//! side that fills names the generation it fills for, so bytes of an old target never slip in.
//!
//! Some sources come in *parts*: each is a stream of its own, begun at a time that is known. A part
//! ends for the reader like a file; it goes on by entering the next one. Such sources are sought by
//! time, not by bytes.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub(crate) use super::window::{About, Onward};
use super::window::{State, Target};
use crate::feed::StreamMetadata;
use crate::feed::error::FeedError;
use crate::feed::pool::Close;

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

impl Close for Pipe {
    /// Ends both sides: a waiting read fails, the transfer stops.
    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.data = VecDeque::new();
        drop(state);
        self.readable.notify_all();
        self.moved.notify_one();
    }
}

impl Pipe {
    /// `on_ready` runs on the IO thread when bytes came for a reader that found too few;
    /// `on_stall` when none come although the reader needs them.
    ///
    /// `time_ms` is where to begin, for sources that are found by time.
    pub(super) fn new(
        window: usize,
        time_ms: u64,
        on_ready: Box<dyn Fn() + Send + Sync>,
        on_stall: Box<dyn Fn() + Send + Sync>,
    ) -> Pipe {
        Pipe {
            state: Mutex::new(State {
                time_ms,
                ..State::default()
            }),
            readable: Condvar::new(),
            room: Notify::new(),
            moved: Notify::new(),
            window: window as u64,
            on_ready,
            on_stall,
        }
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
        self.lock().take_metadata()
    }

    /// Enters the part at the reader's position; its source time in milliseconds, or `None` when
    /// the source does not come in parts.
    pub(crate) fn enter_part(&self) -> Option<u64> {
        self.lock().enter_part()
    }

    /// Whether the source comes in parts.
    pub(crate) fn in_parts(&self) -> bool {
        self.lock().in_parts()
    }

    /// Leaves a part that the reader has come to the end of, or gave up.
    pub(crate) fn leave_part(&self) -> Onward {
        let mut state = self.lock();
        let onward = state.leave_part();
        self.offer_room(&mut state);
        onward
    }

    /// Goes on with the part that holds this time.
    pub(crate) fn seek_time(&self, time_ms: u64) {
        let mut state = self.lock();
        state.seek_time(time_ms);
        state.transfer_waits = false;
        drop(state);
        self.moved.notify_one();
        self.room.notify_one();
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
        if out.is_empty() || state.at_known_end() || state.at_break() {
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
            time_ms: state.time_ms,
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
        self.lock().announce(said);
    }

    /// What follows is a stream of its own that begins at `start_ms`.
    pub(super) fn begin_part(&self, generation: u64, start_ms: u64) {
        self.change(|state| {
            if state.generation == generation && !state.closed {
                state.begin_part(start_ms);
            }
        });
    }

    pub(super) fn complete(&self, generation: u64) {
        self.change(|state| {
            if state.generation == generation {
                let end = state.end();
                state.complete = true;
                if !state.about.by_time {
                    state.about.total.get_or_insert(end);
                }
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
        let pipe = Pipe::new(window, 0, Box::new(on_ready), Box::new(|| {}));
        pipe.describe(About {
            total: Some(10_000_000),
            seekable: true,
            ..About::default()
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

    #[test]
    fn parts_are_read_one_by_one() {
        let (pipe, _) = pipe(1000);
        pipe.describe(About {
            by_time: true,
            ..About::default()
        });
        let mut out = [0; 8];
        assert!(!pipe.ready(4));
        pipe.begin_part(0, 5_000);
        pipe.append(0, b"one");
        assert!(!pipe.ready(4), "bytes may follow");
        pipe.begin_part(0, 9_000);
        pipe.begin_part(0, 9_500);
        assert!(pipe.ready(4), "the part is whole");
        assert!(
            matches!(pipe.try_read(&mut out), Some(Ok(0))),
            "not entered"
        );
        assert_eq!(pipe.enter_part(), Some(5_000));
        assert!(matches!(pipe.try_read(&mut out), Some(Ok(3))));
        assert!(pipe.ready(4) && matches!(pipe.try_read(&mut out), Some(Ok(0))));
        assert_eq!(pipe.leave_part(), Onward::Part);
        assert!(!pipe.ready(4));
        pipe.append(0, b"three");
        assert_eq!(pipe.enter_part(), Some(9_500));
        assert!(matches!(pipe.try_read(&mut out[..2]), Some(Ok(2))));
        assert_eq!(pipe.leave_part(), Onward::Unread);
        pipe.complete(0);
        assert_eq!(pipe.leave_part(), Onward::End);

        pipe.seek_time(77);
        let target = pipe.target().expect("open");
        assert_eq!((target.generation, target.time_ms), (1, 77));
        pipe.append(0, b"stale");
        pipe.begin_part(1, 70);
        pipe.append(1, b"new");
        assert_eq!(pipe.enter_part(), Some(70));
        assert!(matches!(pipe.try_read(&mut out), Some(Ok(3))));
        assert_eq!(&out[..3], b"new");
    }
}
