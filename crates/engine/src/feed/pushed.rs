//! Bytes handed over from outside: a bounded pipe between a caller that must not wait and a decoder.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use cadenza_audio::{ByteSource, PcmFormat};

use super::pool::{Close, Pool};
use super::{FeedEvent, FeedId};

/// Frames (20 ms each) of samples that a pipe holds; more are asked for below half of them.
const HELD_FRAMES: usize = 50;
/// Bytes of a file that a pipe holds; more are asked for below half of them.
const HELD_BYTES: usize = 128 * 1024;

/// What is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PushedShape {
    /// Samples of this shape.
    Samples(PcmFormat),
    /// A file in any format that can be played.
    File,
}

impl PushedShape {
    /// Bytes that are asked for, counted and taken together.
    fn unit(self) -> usize {
        match self {
            PushedShape::Samples(format) => format.frame_bytes(),
            PushedShape::File => 1,
        }
    }

    /// Units that are held.
    fn held(self) -> usize {
        match self {
            PushedShape::Samples(_) => HELD_FRAMES,
            PushedShape::File => HELD_BYTES,
        }
    }

    /// Bytes that are not to be taken apart.
    fn whole(self) -> usize {
        match self {
            PushedShape::Samples(format) => format.sample_bytes(),
            PushedShape::File => 1,
        }
    }
}

/// The caller's end of a pushed stream. Dropping it marks the end of the stream.
pub struct PushWriter {
    pipe: Arc<PushedPipe>,
    pool: Weak<Pool>,
    feed: FeedId,
    load: u64,
}

/// What became of bytes that were offered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pushed {
    /// Bytes taken, from the front: always whole samples of every channel unless all were taken.
    pub taken: usize,
    /// Frames of 20 ms, or bytes of a file, that are wanted at once, because little waits.
    pub wanted: Option<u32>,
}

pub(super) struct PushedPipe {
    state: Mutex<State>,
    readable: Condvar,
    shape: PushedShape,
}

#[derive(Default)]
struct State {
    data: VecDeque<u8>,
    ended: bool,
    closed: bool,
    /// Set when more was asked for, until something comes.
    asked: bool,
    /// The decoder found too little and wants to be woken.
    wake_wanted: bool,
}

impl PushWriter {
    pub(super) fn new(
        pipe: Arc<PushedPipe>,
        pool: Weak<Pool>,
        feed: FeedId,
        load: u64,
    ) -> PushWriter {
        PushWriter {
            pipe,
            pool,
            feed,
            load,
        }
    }

    /// Offers bytes; never waits. What finds no room is to be offered again.
    pub fn push(&self, bytes: &[u8]) -> Pushed {
        let pushed = self.pipe.push(bytes);
        self.wake();
        pushed
    }

    /// Frames of 20 ms, or bytes of a file, that a new stream takes at once.
    pub fn capacity(&self) -> u32 {
        self.pipe.shape.held() as u32
    }

    fn wake(&self) {
        let wake = std::mem::take(&mut self.pipe.lock().wake_wanted);
        if let Some(pool) = self.pool.upgrade().filter(|_| wake) {
            pool.wake(self.feed, self.load);
        }
    }
}

impl Drop for PushWriter {
    fn drop(&mut self) {
        self.pipe.lock().ended = true;
        self.pipe.readable.notify_all();
        self.wake();
    }
}

impl PushedPipe {
    pub(super) fn new(shape: PushedShape) -> PushedPipe {
        PushedPipe {
            state: Mutex::default(),
            readable: Condvar::new(),
            shape,
        }
    }

    pub(super) fn shape(&self) -> PushedShape {
        self.shape
    }

    /// Whether a frame can be made without waiting, for which a file needs so many bytes. If not, a
    /// later push wakes the decoder.
    pub(super) fn ready(&self, of_file: usize) -> bool {
        let mut state = self.lock();
        let needed = match self.shape {
            // The resampler holds a little back, so that one frame may take more than 20 ms.
            PushedShape::Samples(format) => 2 * format.frame_bytes(),
            PushedShape::File => of_file,
        };
        let enough = state.data.len() >= needed;
        let ready = enough || state.ended || state.closed;
        state.wake_wanted = !ready;
        ready
    }

    fn push(&self, bytes: &[u8]) -> Pushed {
        let mut state = self.lock();
        if state.closed {
            return Pushed {
                taken: bytes.len(),
                wanted: None,
            };
        }
        let room = (self.shape.held() * self.shape.unit()).saturating_sub(state.data.len());
        let taken = match bytes.len() {
            len if len <= room => len,
            _ => room - room % self.shape.whole(),
        };
        state.data.extend(&bytes[..taken]);
        let wanted = self.room_if_low(&state);
        state.asked = wanted.is_some();
        drop(state);
        self.readable.notify_all();
        Pushed { taken, wanted }
    }

    /// Reads, waiting for bytes, the end or [`close`](Close::close).
    fn read(&self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = self.lock();
        loop {
            if let Some(result) = state.take(out) {
                return result;
            }
            let woken = self.readable.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn try_read(&self, out: &mut [u8]) -> Option<io::Result<usize>> {
        self.lock().take(out)
    }

    /// How many frames to ask for; told once until something comes.
    fn ask(&self) -> Option<u32> {
        let mut state = self.lock();
        let wanted = self.room_if_low(&state).filter(|_| !state.asked);
        state.asked |= wanted.is_some();
        wanted
    }

    fn room_if_low(&self, state: &State) -> Option<u32> {
        let (held, most) = (state.data.len() / self.shape.unit(), self.shape.held());
        let low = held < most / 2 && !state.ended && !state.closed;
        low.then_some((most - held) as u32)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Close for PushedPipe {
    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.data = VecDeque::new();
        drop(state);
        self.readable.notify_all();
    }
}

impl State {
    fn take(&mut self, out: &mut [u8]) -> Option<io::Result<usize>> {
        if self.closed {
            return Some(Err(io::Error::other("the stream was closed")));
        }
        let (front, _) = self.data.as_slices();
        let count = front.len().min(out.len());
        if count == 0 {
            return (self.ended || out.is_empty()).then_some(Ok(0));
        }
        out[..count].copy_from_slice(&front[..count]);
        self.data.drain(..count);
        Some(Ok(count))
    }
}

/// The decoder's end: a read that has to wait costs no other feed its worker.
pub(super) struct PushedReader {
    pub(super) pipe: Arc<PushedPipe>,
    pub(super) pool: Weak<Pool>,
    pub(super) feed: FeedId,
    pub(super) track: u32,
}

impl PushedReader {
    fn ask_for_more(&self, pool: &Pool) {
        if let Some(frames) = self.pipe.ask() {
            pool.report(FeedEvent::Wanted {
                feed: self.feed,
                track: self.track,
                frames,
            });
        }
    }
}

impl Read for PushedReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let gone = || io::Error::other("the feed host is shut down");
        let pool = self.pool.upgrade().ok_or_else(gone)?;
        let result = self.pipe.try_read(out);
        self.ask_for_more(&pool);
        if let Some(result) = result {
            return result;
        }
        pool.while_another_thread_works(|| self.pipe.read(out))
            .unwrap_or_else(|| Err(io::Error::other("too many sources wait for their bytes")))
    }
}

impl Seek for PushedReader {
    fn seek(&mut self, _to: SeekFrom) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl ByteSource for PushedReader {
    fn is_seekable(&self) -> bool {
        false
    }

    fn byte_len(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> PushedPipe {
        PushedPipe::new(PushedShape::Samples(PcmFormat::default()))
    }

    #[test]
    fn holds_one_second_and_takes_whole_samples() {
        let pipe = pipe();
        let second = 192_000;
        assert_eq!(pipe.push(&vec![1; second - 5]).taken, second - 5);
        // Five bytes are left: one sample of both channels fits.
        assert_eq!(pipe.push(&[2; 100]).taken, 4);
        assert_eq!(pipe.push(&[2; 100]).taken, 0);
        assert_eq!(pipe.lock().data.len(), second - 1);
    }

    #[test]
    fn asks_once_until_something_comes() {
        let pipe = pipe();
        assert_eq!(pipe.push(&[0; 3_840]).wanted, Some(49));
        assert_eq!(pipe.ask(), None);
        assert_eq!(pipe.push(&vec![0; 30 * 3_840]).wanted, None);
        assert_eq!(pipe.ask(), None);
        let mut out = vec![0; 7 * 3_840];
        while !out.is_empty() {
            let Some(Ok(count)) = pipe.try_read(&mut out) else {
                panic!("bytes wait");
            };
            out.drain(..count);
        }
        assert_eq!(pipe.ask(), Some(26));
        assert_eq!(pipe.ask(), None);
    }

    #[test]
    fn of_a_file_it_takes_any_bytes_and_asks_for_bytes() {
        let pipe = PushedPipe::new(PushedShape::File);
        assert_eq!(pipe.push(&[1; 3]).wanted, Some(HELD_BYTES as u32 - 3));
        assert!(!pipe.ready(4) && pipe.ready(3));
        let pushed = pipe.push(&vec![1; HELD_BYTES]);
        assert_eq!((pushed.taken, pushed.wanted), (HELD_BYTES - 3, None));
        assert_eq!(pipe.push(&[1]).taken, 0);
    }

    #[test]
    fn the_end_comes_after_the_last_byte_and_close_at_once() {
        let pipe = pipe();
        assert!(!pipe.ready(1));
        pipe.push(&[3; 10]);
        pipe.lock().ended = true;
        assert!(pipe.ready(1));
        let mut out = [0; 64];
        assert!(matches!(pipe.read(&mut out), Ok(10)));
        assert!(matches!(pipe.read(&mut out), Ok(0)));
        pipe.close();
        assert!(pipe.read(&mut out).is_err());
        assert_eq!(pipe.push(&[1; 7]).taken, 7);
        assert!(pipe.lock().data.is_empty());
    }
}
