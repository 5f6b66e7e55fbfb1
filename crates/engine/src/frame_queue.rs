//! The queue between a feed and a pacer: variable-length Opus frames in one bounded ring of bytes.
//!
//! One producer, one consumer, no lock, and no allocation after construction. A frame is written
//! and read as a whole, so the consumer never sees half of one.
//!
//! **Frames that wait can be replaced.** Every frame has a number within its epoch. A revision begins
//! at one of them: the producer appends new frames with the numbers of the old ones, and once some are
//! in the queue it publishes the revision. From then on the consumer passes over the old frames behind
//! that place. So there is no moment at which nothing waits, and a revision that comes late only takes
//! effect later: frames whose turn is over by then are passed over as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rtrb::RingBuffer;

use crate::prefetch;

/// The longest Opus frame a queue carries, in bytes.
pub const MAX_FRAME_LEN: usize = 1275;

/// Default capacity of a queue in bytes: half a second at 128 kbit/s.
pub const DEFAULT_CAPACITY_BYTES: usize = 8 * 1024;

/// Frames a queue holds at most, whatever their size: one second of sound.
pub const MAX_QUEUED_FRAMES: usize = 50;

/// Bytes in front of each frame: length, epoch, position, flags, number and revision.
const RECORD_HEADER_LEN: usize = 15;

/// Room that only revisions use, so that one can begin while the queue is full.
const RESERVE: usize = 3 * MIN_CAPACITY_BYTES;

/// Frames that are played before a revision begins, counted from the one that is due next: 40 ms.
const AHEAD: u32 = 2;

/// A frame at 128 kbit/s with its header, and about what most others take.
const USUAL_RECORD_LEN: usize = 320;

/// The ring keeps its ends so many bytes apart.
const APART: usize = 128;

/// The smallest ring that takes the longest frame.
const MIN_CAPACITY_BYTES: usize = RECORD_HEADER_LEN + MAX_FRAME_LEN;

/// What travels with a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameMeta {
    /// Which seek this frame belongs to; frames of an older epoch than the flow's are discarded.
    pub epoch: u16,
    /// Source time of the end of this frame, in milliseconds.
    pub position_ms: u32,
    /// Whether the track ends with this frame. An empty frame with this flag only marks the end.
    pub last: bool,
}

/// Creates a queue of `capacity_bytes`, raised to what one longest frame needs. Revisions have 4 KB of
/// their own beside that.
pub fn frame_queue(capacity_bytes: usize) -> (FrameProducer, FrameConsumer) {
    let capacity = capacity_bytes.max(MIN_CAPACITY_BYTES) + RESERVE;
    let (bytes_in, bytes_out) = RingBuffer::new(capacity);
    let shared = Arc::<Shared>::default();
    let producer = FrameProducer {
        bytes: bytes_in,
        shared: Arc::clone(&shared),
        epoch: 0,
        number: 0,
        revision: 0,
        revised: None,
    };
    let consumer = FrameConsumer {
        bytes: bytes_out,
        shared,
        peeked: None,
        epoch: 0,
        number: 0,
    };
    (producer, consumer)
}

/// What both ends see.
#[derive(Debug, Default)]
struct Shared {
    /// Frames in the queue, those that will be passed over included.
    frames: AtomicUsize,
    /// The frame that the consumer takes next, as a [`Place`].
    next: AtomicU64,
    /// The revision published last, as a [`Cut`].
    cut: AtomicU64,
}

/// A frame's number and its epoch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place {
    epoch: u16,
    number: u32,
}

/// Frames from `number` on whose revision is older are void.
#[derive(Clone, Copy)]
struct Cut {
    epoch: u16,
    revision: u16,
    number: u32,
}

/// The feed's end of a queue.
#[derive(Debug)]
pub struct FrameProducer {
    bytes: rtrb::Producer<u8>,
    shared: Arc<Shared>,
    /// Epoch and number of the next frame.
    epoch: u16,
    number: u32,
    revision: u16,
    /// Where the present revision begins, until the consumer is past that.
    revised: Option<Revised>,
}

#[derive(Clone, Copy, Debug)]
struct Revised {
    from: u32,
    published: bool,
}

impl FrameProducer {
    /// Appends one frame. `false` when the queue has no room for it, and for a frame longer than
    /// [`MAX_FRAME_LEN`], which no queue can take.
    pub fn try_push(&mut self, frame: &[u8], meta: FrameMeta) -> bool {
        if meta.epoch != self.epoch {
            self.epoch = meta.epoch;
            self.number = 0;
            self.revised = None;
        }
        let (reserve, most) = match self.is_revising() {
            true => (0, 2 * MAX_QUEUED_FRAMES),
            false => (RESERVE, MAX_QUEUED_FRAMES),
        };
        let room = self.bytes.slots() >= RECORD_HEADER_LEN + frame.len() + reserve;
        if !room || frame.len() > MAX_FRAME_LEN || self.len() >= most {
            return false;
        }
        let mut record = [0_u8; RECORD_HEADER_LEN + MAX_FRAME_LEN];
        let record = &mut record[..RECORD_HEADER_LEN + frame.len()];
        let header = Header {
            len: frame.len(),
            meta,
            number: self.number,
            revision: self.revision,
        };
        record[..RECORD_HEADER_LEN].copy_from_slice(&header.to_bytes());
        record[RECORD_HEADER_LEN..].copy_from_slice(frame);
        // Counted first: the consumer may take the frame before this function returns.
        self.shared.frames.fetch_add(1, Ordering::Relaxed);
        let pushed = self.bytes.push_entire_slice(record).is_ok();
        debug_assert!(pushed, "room was checked and only this end takes it");
        self.number = self.number.wrapping_add(1);
        pushed
    }

    /// How many frames at the end of the queue can still be replaced.
    ///
    /// `asked_at` is where the consumer stood when somebody asked for that: two frames more may be
    /// played before new ones take over. `None` when an earlier revision has to be reached first.
    pub fn replaceable(&self, asked_at: Place) -> Option<usize> {
        let next = self.shared.next();
        if next.epoch != self.epoch {
            // The consumer has not seen this epoch yet.
            return Some(self.number as usize);
        }
        let soonest = next.number.saturating_add(1);
        let mut from = match asked_at.epoch == self.epoch {
            true => soonest.max(asked_at.number.saturating_add(AHEAD)),
            false => next.number.saturating_add(AHEAD),
        };
        if let Some(revised) = self.revised.filter(|_| self.is_revising()) {
            if self.bytes.slots() < 2 * MIN_CAPACITY_BYTES {
                return None;
            }
            from = from.min(revised.from);
        }
        Some(self.number.saturating_sub(from) as usize)
    }

    /// Begins a revision of the last `frames` frames: those pushed from now on take their places.
    pub fn revise(&mut self, frames: usize) {
        self.number -= u32::try_from(frames).unwrap_or(u32::MAX).min(self.number);
        self.revision = self.revision.wrapping_add(1);
        self.revised = Some(Revised {
            from: self.number,
            published: false,
        });
    }

    /// Frames pushed since a revision began that is not published; `None` without one.
    pub fn unpublished(&self) -> Option<usize> {
        let revised = self.revised.filter(|revised| !revised.published)?;
        Some((self.number - revised.from) as usize)
    }

    /// Lets the revision take effect.
    pub fn publish(&mut self) {
        if let Some(revised) = &mut self.revised {
            revised.published = true;
            let cut = Cut {
                epoch: self.epoch,
                revision: self.revision,
                number: revised.from,
            };
            self.shared.cut.store(cut.to_word(), Ordering::Release);
        }
    }

    /// Whether frames may wait that are to be passed over.
    pub fn is_revising(&self) -> bool {
        let next = self.shared.next();
        self.revised
            .is_some_and(|revised| next.epoch != self.epoch || next.number <= revised.from)
    }

    /// Frames of the present epoch that were pushed and not taken.
    pub fn unplayed(&self) -> usize {
        let next = self.shared.next();
        match next.epoch == self.epoch {
            true => self.number.saturating_sub(next.number) as usize,
            false => self.number as usize,
        }
    }

    /// Whether the longest frame fits right now.
    pub fn has_room(&self) -> bool {
        let reserve = if self.is_revising() { 0 } else { RESERVE };
        self.bytes.slots() >= MIN_CAPACITY_BYTES + reserve && self.len() < MAX_QUEUED_FRAMES
    }

    /// Frames that wait in the queue.
    pub fn len(&self) -> usize {
        self.shared.frames.load(Ordering::Relaxed)
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the pacer has dropped its end: nothing pushed will ever be sent.
    pub fn is_abandoned(&self) -> bool {
        self.bytes.is_abandoned()
    }
}

/// The pacer's end of a queue.
#[derive(Debug)]
pub struct FrameConsumer {
    bytes: rtrb::Consumer<u8>,
    shared: Arc<Shared>,
    /// The header of the frame at the front, once it was read.
    peeked: Option<Header>,
    /// Epoch and number of the frame that is due next.
    epoch: u16,
    number: u32,
}

impl FrameConsumer {
    /// Takes the oldest frame: its length in `out` and what travels with it.
    pub fn pop(&mut self, out: &mut [u8; MAX_FRAME_LEN]) -> Option<(usize, FrameMeta)> {
        let header = loop {
            let header = self.peek_header()?;
            if header.meta.epoch != self.epoch {
                self.epoch = header.meta.epoch;
                self.number = 0;
            }
            if !self.is_void(&header) {
                break header;
            }
            if !self.drop_front(header.len) {
                return None;
            }
        };
        self.bytes.pop_entire_slice(&mut out[..header.len]).ok()?;
        self.forget_front();
        self.number = header.number.wrapping_add(1);
        let next = Place {
            epoch: self.epoch,
            number: self.number,
        };
        self.shared.next.store(next.to_word(), Ordering::Release);
        Some((header.len, header.meta))
    }

    /// Whether a frame was replaced, or takes the place of one that was played.
    fn is_void(&self, header: &Header) -> bool {
        let cut = Cut::from_word(self.shared.cut.load(Ordering::Acquire));
        let older = cut.revision.wrapping_sub(header.revision) as i16 > 0;
        let replaced = cut.epoch == header.meta.epoch && older && header.number >= cut.number;
        replaced || header.number < self.number
    }

    /// Asks for what leads to the next frame: both ends' places and the counters.
    pub(crate) fn warm(&self) {
        prefetch::every(self.bytes.buffer(), APART);
        prefetch::prefetch(&*self.shared);
    }

    /// Asks for the bytes of the next frame, as long as most are.
    pub(crate) fn warm_frame(&mut self) {
        let wanted = self.bytes.slots().min(USUAL_RECORD_LEN);
        if let Ok(record) = self.bytes.read_chunk(wanted) {
            let (bytes, wrapped) = record.as_slices();
            prefetch::prefetch(bytes);
            prefetch::prefetch(wrapped);
        }
    }

    /// Drops the frames at the front that are older than `epoch`, and returns how many.
    ///
    /// Epochs wrap: those up to 32,767 steps back count as older.
    pub fn discard_older_than(&mut self, epoch: u16) -> usize {
        let mut discarded = 0;
        while let Some(Header { len, meta, .. }) = self.peek_header() {
            if epoch.wrapping_sub(meta.epoch) as i16 <= 0 || !self.drop_front(len) {
                break;
            }
            discarded += 1;
        }
        discarded
    }

    /// Frames that wait in the queue.
    pub fn len(&self) -> usize {
        self.shared.frames.load(Ordering::Relaxed)
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A view of [`len`](Self::len) for other threads.
    pub fn depth(&self) -> QueueDepth {
        QueueDepth(Arc::clone(&self.shared))
    }

    /// Whether the feed has dropped its end: what is queued is all there will be.
    pub fn is_abandoned(&self) -> bool {
        self.bytes.is_abandoned()
    }

    fn drop_front(&mut self, len: usize) -> bool {
        let Ok(chunk) = self.bytes.read_chunk(len) else {
            return false;
        };
        chunk.commit_all();
        self.forget_front();
        true
    }

    fn peek_header(&mut self) -> Option<Header> {
        if self.peeked.is_none() {
            let mut header = [0_u8; RECORD_HEADER_LEN];
            self.bytes.pop_entire_slice(&mut header).ok()?;
            self.peeked = Some(Header::from_bytes(header));
        }
        self.peeked
    }

    fn forget_front(&mut self) {
        self.peeked = None;
        self.shared.frames.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many frames wait in a queue, and where it stands, seen from anywhere.
#[derive(Clone, Debug, Default)]
pub struct QueueDepth(Arc<Shared>);

impl QueueDepth {
    /// Frames that wait right now.
    pub fn frames(&self) -> usize {
        self.0.frames.load(Ordering::Relaxed)
    }

    /// Which frame is taken next.
    pub fn next(&self) -> Place {
        self.0.next()
    }
}

impl Shared {
    fn next(&self) -> Place {
        Place::from_word(self.next.load(Ordering::Acquire))
    }
}

impl Place {
    fn to_word(self) -> u64 {
        u64::from(self.epoch) << 32 | u64::from(self.number)
    }

    fn from_word(word: u64) -> Place {
        Place {
            epoch: (word >> 32) as u16,
            number: word as u32,
        }
    }
}

impl Cut {
    fn to_word(self) -> u64 {
        u64::from(self.epoch) << 48 | u64::from(self.revision) << 32 | u64::from(self.number)
    }

    fn from_word(word: u64) -> Cut {
        Cut {
            epoch: (word >> 48) as u16,
            revision: (word >> 32) as u16,
            number: word as u32,
        }
    }
}

/// What stands in front of a frame.
#[derive(Clone, Copy, Debug)]
struct Header {
    len: usize,
    meta: FrameMeta,
    number: u32,
    revision: u16,
}

impl Header {
    fn to_bytes(self) -> [u8; RECORD_HEADER_LEN] {
        let mut bytes = [0; RECORD_HEADER_LEN];
        bytes[..2].copy_from_slice(&(self.len as u16).to_ne_bytes());
        bytes[2..4].copy_from_slice(&self.meta.epoch.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.meta.position_ms.to_ne_bytes());
        bytes[8] = u8::from(self.meta.last);
        bytes[9..13].copy_from_slice(&self.number.to_ne_bytes());
        bytes[13..].copy_from_slice(&self.revision.to_ne_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; RECORD_HEADER_LEN]) -> Header {
        let [
            l0,
            l1,
            e0,
            e1,
            p0,
            p1,
            p2,
            p3,
            flags,
            n0,
            n1,
            n2,
            n3,
            r0,
            r1,
        ] = bytes;
        Header {
            len: usize::from(u16::from_ne_bytes([l0, l1])),
            meta: FrameMeta {
                epoch: u16::from_ne_bytes([e0, e1]),
                position_ms: u32::from_ne_bytes([p0, p1, p2, p3]),
                last: flags != 0,
            },
            number: u32::from_ne_bytes([n0, n1, n2, n3]),
            revision: u16::from_ne_bytes([r0, r1]),
        }
    }
}

#[cfg(test)]
mod tests;
