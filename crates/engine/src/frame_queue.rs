//! The queue between a feed and a pacer: variable-length Opus frames in one bounded ring of bytes.
//!
//! One producer, one consumer, no lock, and no allocation after construction. A frame is written
//! and read as a whole, so the consumer never sees half of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rtrb::RingBuffer;

/// The longest Opus frame a queue carries, in bytes.
pub const MAX_FRAME_LEN: usize = 1275;

/// Default capacity of a queue in bytes: half a second at 128 kbit/s.
pub const DEFAULT_CAPACITY_BYTES: usize = 8 * 1024;

/// Frames a queue holds at most, whatever their size: one second of sound.
pub const MAX_QUEUED_FRAMES: usize = 50;

/// Bytes in front of each frame: length, epoch, position and flags.
const RECORD_HEADER_LEN: usize = 9;

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

/// Creates a queue of `capacity_bytes`, raised to what one longest frame needs.
pub fn frame_queue(capacity_bytes: usize) -> (FrameProducer, FrameConsumer) {
    let (bytes_in, bytes_out) = RingBuffer::new(capacity_bytes.max(MIN_CAPACITY_BYTES));
    let frames = Arc::new(AtomicUsize::new(0));
    let producer = FrameProducer {
        bytes: bytes_in,
        frames: Arc::clone(&frames),
    };
    let consumer = FrameConsumer {
        bytes: bytes_out,
        frames,
        peeked: None,
    };
    (producer, consumer)
}

/// The feed's end of a queue.
#[derive(Debug)]
pub struct FrameProducer {
    bytes: rtrb::Producer<u8>,
    frames: Arc<AtomicUsize>,
}

impl FrameProducer {
    /// Appends one frame. `false` when the queue has no room for it, and for a frame longer than
    /// [`MAX_FRAME_LEN`], which no queue can take.
    pub fn try_push(&mut self, frame: &[u8], meta: FrameMeta) -> bool {
        let room = self.bytes.slots() >= RECORD_HEADER_LEN + frame.len();
        if !room || frame.len() > MAX_FRAME_LEN || self.len() >= MAX_QUEUED_FRAMES {
            return false;
        }
        let mut record = [0_u8; RECORD_HEADER_LEN + MAX_FRAME_LEN];
        let record = &mut record[..RECORD_HEADER_LEN + frame.len()];
        record[..RECORD_HEADER_LEN].copy_from_slice(&header_of(frame.len(), meta));
        record[RECORD_HEADER_LEN..].copy_from_slice(frame);
        // Counted first: the consumer may take the frame before this function returns.
        self.frames.fetch_add(1, Ordering::Relaxed);
        let pushed = self.bytes.push_entire_slice(record).is_ok();
        debug_assert!(pushed, "room was checked and only this end takes it");
        pushed
    }

    /// Whether the longest frame fits right now.
    pub fn has_room(&self) -> bool {
        self.bytes.slots() >= MIN_CAPACITY_BYTES && self.len() < MAX_QUEUED_FRAMES
    }

    /// Frames that wait in the queue.
    pub fn len(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
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
    frames: Arc<AtomicUsize>,
    /// The header of the frame at the front, once it was read.
    peeked: Option<(usize, FrameMeta)>,
}

impl FrameConsumer {
    /// Takes the oldest frame: its length in `out` and what travels with it.
    pub fn pop(&mut self, out: &mut [u8; MAX_FRAME_LEN]) -> Option<(usize, FrameMeta)> {
        let (len, meta) = self.peek_header()?;
        self.bytes.pop_entire_slice(&mut out[..len]).ok()?;
        self.forget_front();
        Some((len, meta))
    }

    /// Drops the frames at the front that are older than `epoch`, and returns how many.
    ///
    /// Epochs wrap: those up to 32,767 steps back count as older.
    pub fn discard_older_than(&mut self, epoch: u16) -> usize {
        let mut discarded = 0;
        while let Some((len, meta)) = self.peek_header() {
            if epoch.wrapping_sub(meta.epoch) as i16 <= 0 {
                break;
            }
            let Ok(chunk) = self.bytes.read_chunk(len) else {
                break;
            };
            chunk.commit_all();
            self.forget_front();
            discarded += 1;
        }
        discarded
    }

    /// Frames that wait in the queue.
    pub fn len(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A view of [`len`](Self::len) for other threads.
    pub fn depth(&self) -> QueueDepth {
        QueueDepth(Arc::clone(&self.frames))
    }

    /// Whether the feed has dropped its end: what is queued is all there will be.
    pub fn is_abandoned(&self) -> bool {
        self.bytes.is_abandoned()
    }

    fn peek_header(&mut self) -> Option<(usize, FrameMeta)> {
        if self.peeked.is_none() {
            let mut header = [0_u8; RECORD_HEADER_LEN];
            self.bytes.pop_entire_slice(&mut header).ok()?;
            self.peeked = Some(parse_header(header));
        }
        self.peeked
    }

    fn forget_front(&mut self) {
        self.peeked = None;
        self.frames.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many frames wait in a queue, seen from anywhere.
#[derive(Clone, Debug, Default)]
pub struct QueueDepth(Arc<AtomicUsize>);

impl QueueDepth {
    /// Frames that wait right now.
    pub fn frames(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn header_of(len: usize, meta: FrameMeta) -> [u8; RECORD_HEADER_LEN] {
    let mut header = [0; RECORD_HEADER_LEN];
    header[..2].copy_from_slice(&(len as u16).to_ne_bytes());
    header[2..4].copy_from_slice(&meta.epoch.to_ne_bytes());
    header[4..8].copy_from_slice(&meta.position_ms.to_ne_bytes());
    header[8] = u8::from(meta.last);
    header
}

fn parse_header(header: [u8; RECORD_HEADER_LEN]) -> (usize, FrameMeta) {
    let [l0, l1, e0, e1, p0, p1, p2, p3, flags] = header;
    let meta = FrameMeta {
        epoch: u16::from_ne_bytes([e0, e1]),
        position_ms: u32::from_ne_bytes([p0, p1, p2, p3]),
        last: flags != 0,
    };
    (usize::from(u16::from_ne_bytes([l0, l1])), meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_in_order_with_their_meta() {
        let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
        assert!(producer.try_push(&[1, 2, 3], meta(1, 20)));
        assert!(producer.try_push(&[7; MAX_FRAME_LEN], meta(1, 40)));
        assert!(producer.try_push(
            &[],
            FrameMeta {
                last: true,
                ..meta(2, 40)
            }
        ));

        let mut out = [0; MAX_FRAME_LEN];
        assert_eq!(consumer.pop(&mut out), Some((3, meta(1, 20))));
        assert_eq!(out[..3], [1, 2, 3]);
        assert_eq!(consumer.pop(&mut out), Some((MAX_FRAME_LEN, meta(1, 40))));
        assert_eq!(out, [7; MAX_FRAME_LEN]);
        let end = consumer.pop(&mut out).expect("the end marker was pushed");
        assert_eq!((end.0, end.1.last, end.1.epoch), (0, true, 2));
        assert_eq!(consumer.pop(&mut out), None);
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_after_a_pop() {
        let (mut producer, mut consumer) = frame_queue(0);
        assert!(producer.try_push(&[1; 1000], meta(0, 0)));
        assert!(!producer.has_room());
        assert!(!producer.try_push(&[2; 1000], meta(0, 0)));
        assert_eq!(producer.len(), 1);
        assert!(consumer.pop(&mut [0; MAX_FRAME_LEN]).is_some());
        assert!(producer.try_push(&[2; 1000], meta(0, 0)));
    }

    #[test]
    fn small_frames_are_limited_by_number() {
        let (mut producer, _consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
        let taken = (0..1000)
            .filter(|_| producer.try_push(&[0; 3], meta(0, 0)))
            .count();
        assert_eq!(taken, MAX_QUEUED_FRAMES);
    }

    #[test]
    fn an_oversized_frame_is_refused() {
        let (mut producer, _consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
        assert!(!producer.try_push(&[0; MAX_FRAME_LEN + 1], meta(0, 0)));
        assert!(producer.is_empty());
    }

    #[test]
    fn discarding_keeps_the_epoch_asked_for() {
        let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
        for epoch in [1, 1, 2, 2] {
            assert!(producer.try_push(&[epoch as u8; 5], meta(epoch, 0)));
        }
        assert_eq!(consumer.discard_older_than(2), 2);
        assert_eq!(consumer.len(), 2);
        let mut out = [0; MAX_FRAME_LEN];
        assert_eq!(consumer.pop(&mut out), Some((5, meta(2, 0))));
        assert_eq!(consumer.discard_older_than(3), 1);
        assert!(consumer.is_empty());
    }

    #[test]
    fn frames_of_a_newer_epoch_stay_also_around_the_wrap() {
        let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
        assert!(producer.try_push(&[1], meta(0, 0)));
        assert_eq!(consumer.discard_older_than(u16::MAX), 0);
        assert_eq!(consumer.discard_older_than(1), 1);
    }

    #[test]
    fn each_end_notices_that_the_other_is_gone() {
        let (producer, consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
        assert!(!producer.is_abandoned() && !consumer.is_abandoned());
        drop(consumer);
        assert!(producer.is_abandoned());
    }

    #[test]
    fn two_threads_pass_every_frame_once() {
        let (mut producer, mut consumer) = frame_queue(DEFAULT_CAPACITY_BYTES);
        let feed = std::thread::spawn(move || {
            for n in 0..20_000_u32 {
                let frame = vec![n as u8; (n as usize * 37) % 400];
                while !producer.try_push(&frame, meta(0, n)) {
                    std::thread::yield_now();
                }
            }
        });
        let mut out = [0; MAX_FRAME_LEN];
        for n in 0..20_000_u32 {
            let (len, got) = loop {
                match consumer.pop(&mut out) {
                    Some(frame) => break frame,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!((len, got.position_ms), ((n as usize * 37) % 400, n));
            assert!(out[..len].iter().all(|byte| *byte == n as u8));
        }
        feed.join().expect("the feed thread ends");
    }

    fn meta(epoch: u16, position_ms: u32) -> FrameMeta {
        FrameMeta {
            epoch,
            position_ms,
            last: false,
        }
    }
}
