//! Sound on its way to a caller: many pieces packed into one buffer, and a bounded queue of such.
//!
//! A batch is a row of groups, each with the pieces of one stream for one output, in order. All
//! numbers are little-endian:
//!
//! ```text
//! group   u32 output · u32 ssrc · u64 user · u32 pieces · u32 bytes that follow
//! piece   u8 kind · u8 flags · u16 sequence · u32 timestamp · u64 position · u32 samples · u32 length
//!         payload, padded to a multiple of 4
//! ```
//!
//! Kinds: 0 sound (Opus, or interleaved i16), 1 lost (Opus only), 2 silence, 3 the stream has ended.
//! Flags: 1 extrapolated, 2 reconstructed from FEC, 4 a silence frame. Position and samples count at
//! 48 kHz from the stream's first packet.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that may wait to be taken: one second of a hundred speakers in full quality.
const MAX_WAITING_BYTES: usize = 24 << 20;
/// Batches that may wait to be taken.
const MAX_WAITING: usize = 512;
/// A batch of this size is handed over before its time.
const FULL: usize = 256 << 10;
const GROUP_LEN: usize = 24;

/// What a piece is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PieceKind {
    Sound = 0,
    Lost = 1,
    Silence = 2,
    End = 3,
}

pub(super) const CONCEALED: u8 = 1;
pub(super) const RECOVERED: u8 = 2;
pub(super) const SILENT: u8 = 4;

/// A piece without its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct PieceHead {
    pub(super) kind: PieceKind,
    pub(super) flags: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) position: u64,
    pub(super) samples: u64,
}

/// Whose piece, and for whom.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct GroupKey {
    pub(super) output: u32,
    pub(super) ssrc: u32,
    pub(super) user: u64,
}

#[derive(Default)]
struct Group {
    pieces: u32,
    bytes: Vec<u8>,
}

/// A batch in the making.
#[derive(Default)]
pub(super) struct Batch {
    groups: HashMap<GroupKey, Group>,
    len: usize,
}

impl Batch {
    /// Adds a piece with the payload that `write` appends.
    pub(super) fn add(&mut self, key: GroupKey, head: PieceHead, write: impl FnOnce(&mut Vec<u8>)) {
        let group = self.groups.entry(key).or_default();
        let start = group.bytes.len();
        group.pieces += 1;
        let bytes = &mut group.bytes;
        bytes.extend([head.kind as u8, head.flags]);
        bytes.extend(head.sequence.to_le_bytes());
        bytes.extend(head.timestamp.to_le_bytes());
        bytes.extend(head.position.to_le_bytes());
        let samples = u32::try_from(head.samples).unwrap_or(u32::MAX);
        bytes.extend(samples.to_le_bytes());
        let length_at = bytes.len();
        bytes.extend([0; 4]);
        let payload_at = bytes.len();
        write(bytes);
        let length = (bytes.len() - payload_at) as u32;
        bytes[length_at..payload_at].copy_from_slice(&length.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        self.len += bytes.len() - start;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= FULL
    }

    /// The batch as one buffer; what follows begins a new one.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len + self.groups.len() * GROUP_LEN);
        for (key, group) in self.groups.drain() {
            out.extend(key.output.to_le_bytes());
            out.extend(key.ssrc.to_le_bytes());
            out.extend(key.user.to_le_bytes());
            out.extend(group.pieces.to_le_bytes());
            out.extend((group.bytes.len() as u32).to_le_bytes());
            out.extend(group.bytes);
        }
        self.len = 0;
        out
    }
}

/// Batches that wait to be taken; when there are too many, the oldest go.
#[derive(Default)]
pub(crate) struct AudioQueue {
    waiting: Mutex<Waiting>,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl AudioQueue {
    /// Queues a batch; `true` when none waited before, so that somebody has to be told.
    pub(super) fn push(&self, batch: Vec<u8>) -> bool {
        let mut waiting = self.waiting();
        let was_empty = waiting.batches.is_empty();
        waiting.bytes += batch.len();
        waiting.batches.push_back(batch);
        while waiting.batches.len() > MAX_WAITING || waiting.bytes > MAX_WAITING_BYTES {
            let Some(oldest) = waiting.batches.pop_front() else {
                break;
            };
            waiting.bytes -= oldest.len();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        was_empty
    }

    /// The oldest batch.
    pub(super) fn pop(&self) -> Option<Vec<u8>> {
        let mut waiting = self.waiting();
        let batch = waiting.batches.pop_front()?;
        waiting.bytes -= batch.len();
        Some(batch)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_laid_out_as_documented() {
        let key = GroupKey {
            output: 1,
            ssrc: 2,
            user: 3,
        };
        let head = PieceHead {
            kind: PieceKind::Sound,
            flags: SILENT,
            sequence: 0x0405,
            timestamp: 6,
            position: 7,
            samples: 960,
        };
        let mut batch = Batch::default();
        batch.add(key, head, |out| out.extend([9, 9, 9]));
        let bytes = batch.take();
        assert_eq!(bytes[..8], [1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(
            bytes[8..24],
            [3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0]
        );
        assert_eq!(bytes[24..32], [0, 4, 5, 4, 6, 0, 0, 0]);
        assert_eq!(
            bytes[32..48],
            [7, 0, 0, 0, 0, 0, 0, 0, 0xC0, 3, 0, 0, 3, 0, 0, 0]
        );
        assert_eq!(bytes[48..], [9, 9, 9, 0]);
        assert!(batch.is_empty() && batch.take().is_empty());
    }

    #[test]
    fn a_queue_that_nobody_empties_forgets_the_oldest() {
        let queue = AudioQueue::default();
        assert!(queue.push(vec![0]));
        assert!((1..MAX_WAITING + 10).all(|n| !queue.push(vec![n as u8])));
        assert_eq!(queue.dropped(), 10);
        assert_eq!(queue.pop(), Some(vec![10]));
        queue.push(vec![0; MAX_WAITING_BYTES]);
        assert_eq!(
            queue.pop().map(|batch| batch.len()),
            Some(MAX_WAITING_BYTES)
        );
        assert_eq!(queue.pop(), None);
    }
}
