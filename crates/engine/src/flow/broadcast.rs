//! One stream's frames on their way to all calls that are subscribed: a ring that the stream's pacer
//! writes and every call's pacer reads.
//!
//! No lock, no allocation after construction, and nobody waits for anybody: a reader that is too slow
//! finds its frames gone and goes on at the live position. Readers stay two frames behind the writer,
//! so that a writer a little late is not heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use crate::frame_queue::MAX_FRAME_LEN;

/// Frames that the ring remembers.
const REMEMBERED: u64 = 16;
/// Frames that readers stay behind the writer.
const BEHIND: u64 = 2;
/// A reader this far behind has missed its turns and goes to the live position.
const TOO_FAR_BEHIND: u64 = BEHIND + 3;
/// A header, and room for the longest frame.
const WORDS: usize = 1 + MAX_FRAME_LEN.div_ceil(8);

/// The ring of one stream.
#[derive(Debug)]
pub struct Broadcast {
    words: Box<[AtomicU64]>,
    /// Frames written so far.
    written: AtomicU64,
    /// Whether frames may come with nobody telling the readers.
    active: AtomicBool,
}

impl Default for Broadcast {
    fn default() -> Broadcast {
        let words = (0..WORDS * REMEMBERED as usize).map(|_| AtomicU64::new(0));
        Broadcast {
            words: words.collect(),
            written: AtomicU64::new(0),
            active: AtomicBool::new(false),
        }
    }
}

impl Broadcast {
    /// Appends a frame of at most [`MAX_FRAME_LEN`] bytes. Only one thread may write at a time.
    pub fn write(&self, frame: &[u8], position_ms: u32) {
        let written = self.written.load(Ordering::Relaxed);
        let slot = self.slot(written);
        // A reader that sees a word of this frame must also see that the one before is complete.
        fence(Ordering::Release);
        let header = frame.len() as u64 | u64::from(position_ms) << 32;
        slot[0].store(header, Ordering::Relaxed);
        for (word, bytes) in slot[1..].iter().zip(frame.chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(padded), Ordering::Relaxed);
        }
        self.written.store(written + 1, Ordering::Release);
    }

    pub(crate) fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::SeqCst);
    }

    fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst)
    }

    fn slot(&self, number: u64) -> &[AtomicU64] {
        let at = (number % REMEMBERED) as usize * WORDS;
        &self.words[at..at + WORDS]
    }

    /// Copies a frame out: its length and position, or `None` when it has been overwritten.
    fn read(&self, number: u64, out: &mut [u8; MAX_FRAME_LEN]) -> Option<(usize, u32)> {
        let slot = self.slot(number);
        let header = slot[0].load(Ordering::Relaxed);
        let len = (header as u32 as usize).min(MAX_FRAME_LEN);
        for (bytes, word) in out[..len].chunks_mut(8).zip(&slot[1..]) {
            let word = word.load(Ordering::Relaxed).to_ne_bytes();
            bytes.copy_from_slice(&word[..bytes.len()]);
        }
        // With the writer's fence: if a word of a later frame was read above, the count shows it.
        fence(Ordering::Acquire);
        let intact = self.written.load(Ordering::Relaxed) < number + REMEMBERED;
        intact.then_some((len, (header >> 32) as u32))
    }
}

/// One call's place in a stream.
#[derive(Debug)]
pub struct BroadcastReader {
    ring: Arc<Broadcast>,
    at: At,
    missed: u64,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// Until a few frames beyond this one are there.
    WaitingSince(u64),
    Next(u64),
}

impl BroadcastReader {
    /// Begins at what is written from now on.
    pub fn new(ring: Arc<Broadcast>) -> BroadcastReader {
        let written = ring.written.load(Ordering::Acquire);
        BroadcastReader {
            ring,
            at: At::WaitingSince(written),
            missed: 0,
        }
    }

    /// Takes the next frame: its length in `out` and its position in source time.
    pub(crate) fn pop(&mut self, out: &mut [u8; MAX_FRAME_LEN]) -> Option<(usize, u32)> {
        // Asked before the count is: of a stream that is silent by then, everything is counted.
        let silent = !self.ring.is_active();
        let written = self.ring.written.load(Ordering::Acquire);
        let number = match self.at {
            At::WaitingSince(from) => {
                let waiting = written - from;
                if waiting == 0 || (waiting < BEHIND && !silent) {
                    return None;
                }
                written - waiting.min(BEHIND)
            }
            At::Next(number) if number == written => {
                self.at = At::WaitingSince(written);
                return None;
            }
            At::Next(number) if written - number > TOO_FAR_BEHIND => {
                let live = written - BEHIND;
                self.missed += live - number;
                live
            }
            At::Next(number) => number,
        };
        let read = self.ring.read(number, out);
        self.at = match read {
            Some(_) => At::Next(number + 1),
            None => At::WaitingSince(written),
        };
        read
    }

    /// Whether everything written has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        let (At::WaitingSince(next) | At::Next(next)) = self.at;
        self.ring.written.load(Ordering::Acquire) == next
    }

    /// Whether frames may come with nobody telling.
    pub(crate) fn comes_by_itself(&self) -> bool {
        self.ring.is_active()
    }

    /// Frames that were gone before they could be taken, since this was last asked.
    pub(crate) fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_follow_two_frames_behind_and_get_every_frame() {
        let (ring, mut reader) = stream();
        let mut out = [0; MAX_FRAME_LEN];
        ring.write(&[0; 3], 0);
        assert_eq!(reader.pop(&mut out), None);
        for n in 1..100_u32 {
            ring.write(&vec![n as u8; n as usize * 12], n * 20);
            let expected = n - 1;
            let len = if expected == 0 {
                3
            } else {
                expected as usize * 12
            };
            assert_eq!(reader.pop(&mut out), Some((len, expected * 20)));
            assert!(out[..len].iter().all(|byte| *byte == expected as u8));
        }
        assert!(!reader.is_empty());
    }

    #[test]
    fn a_late_joiner_starts_at_the_live_position() {
        let (ring, _) = stream();
        write(&ring, 0..50);
        let mut late = BroadcastReader::new(Arc::clone(&ring));
        assert!(late.is_empty() && late.comes_by_itself());
        assert_eq!(positions(&mut late, 1), [0_u32; 0]);
        write(&ring, 50..53);
        assert_eq!(positions(&mut late, 3), [51, 52]);
    }

    #[test]
    fn who_misses_its_turns_goes_on_live_and_counts_what_it_missed() {
        let (ring, mut reader) = stream();
        write(&ring, 0..3);
        assert_eq!(positions(&mut reader, 1), [1]);
        write(&ring, 3..7);
        assert_eq!(positions(&mut reader, 1), [2], "five behind is a hiccup");
        write(&ring, 7..1_000);
        assert_eq!(positions(&mut reader, 3), [998, 999]);
        assert_eq!((reader.take_missed(), reader.take_missed()), (995, 0));
    }

    #[test]
    fn a_stream_that_falls_silent_is_heard_to_its_end() {
        let (ring, mut reader) = stream();
        write(&ring, 0..1);
        assert_eq!(positions(&mut reader, 1), [0_u32; 0]);
        ring.set_active(false);
        assert_eq!(positions(&mut reader, 2), [0]);
        assert!(reader.is_empty() && !reader.comes_by_itself());
    }

    #[test]
    fn after_running_dry_the_distance_is_built_up_again() {
        let (ring, mut reader) = stream();
        write(&ring, 0..2);
        assert_eq!(positions(&mut reader, 3), [0, 1]);
        write(&ring, 2..3);
        assert_eq!(positions(&mut reader, 1), [0_u32; 0]);
        write(&ring, 3..4);
        assert_eq!(positions(&mut reader, 1), [2]);
    }

    #[test]
    fn no_reader_ever_sees_half_a_frame() {
        let (ring, _) = stream();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let mut reader = BroadcastReader::new(Arc::clone(&ring));
                std::thread::spawn(move || {
                    let mut out = [0; MAX_FRAME_LEN];
                    let mut latest = 0;
                    while latest < 50_000 {
                        let Some((len, position)) = reader.pop(&mut out) else {
                            std::thread::yield_now();
                            continue;
                        };
                        assert!(position >= latest, "{position} after {latest}");
                        assert_eq!(len, position as usize % 300);
                        assert!(out[..len].iter().all(|byte| *byte == position as u8));
                        latest = position;
                    }
                })
            })
            .collect();
        let mut n = 0;
        while readers.iter().any(|reader| !reader.is_finished()) {
            ring.write(&vec![n as u8; n as usize % 300], n);
            n += 1;
            if n % 8 == 0 {
                std::thread::yield_now();
            }
        }
        for reader in readers {
            reader.join().expect("no assertion failed");
        }
    }

    fn stream() -> (Arc<Broadcast>, BroadcastReader) {
        let ring = Arc::new(Broadcast::default());
        ring.set_active(true);
        let reader = BroadcastReader::new(Arc::clone(&ring));
        (ring, reader)
    }

    fn write(ring: &Broadcast, positions: std::ops::Range<u32>) {
        for position in positions {
            ring.write(&[1], position);
        }
    }

    fn positions(reader: &mut BroadcastReader, tries: usize) -> Vec<u32> {
        let mut out = [0; MAX_FRAME_LEN];
        let popped = (0..tries).filter_map(|_| reader.pop(&mut out));
        popped.map(|(_, position)| position).collect()
    }
}
