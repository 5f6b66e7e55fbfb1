//! The pacer's view of what fills a flow: a queue, whose it is, and whether it runs dry.

use crate::frame_queue::{FrameConsumer, FrameMeta, MAX_FRAME_LEN, MAX_QUEUED_FRAMES};

/// Below this many waiting frames (400 ms) pushed frames are asked for.
const LOW_WATER: usize = 20;

/// Whose frames these are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FeedKind {
    /// A track read by the engine itself.
    Track(u32),
    /// Frames handed over from outside; they have no end.
    Pushed,
}

/// A queue being played.
#[derive(Debug)]
pub struct Feed {
    queue: FrameConsumer,
    kind: FeedKind,
    /// Where the sound begins, in milliseconds of source time.
    start_ms: u64,
    state: State,
    /// When a frame was first missing, until one comes.
    dry_since_ns: Option<u64>,
    stall_told: bool,
    /// The count of pushed batches at which more were last asked for.
    asked_at: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Fresh,
    Started,
    Over,
}

/// What a feed has when a frame is due.
pub(crate) enum Next {
    /// A frame of this length lies in the buffer.
    Frame { len: usize, meta: FrameMeta },
    /// The end mark came with no sound of its own.
    End,
    /// The feed is gone and its queue is empty.
    Abandoned,
    /// Nothing yet.
    Dry,
}

impl Feed {
    /// A feed that starts with the first frame of `queue`, at `start_ms` of source time.
    pub fn new(queue: FrameConsumer, kind: FeedKind, start_ms: u64) -> Feed {
        Feed {
            queue,
            kind,
            start_ms,
            state: State::Fresh,
            dry_since_ns: None,
            stall_told: false,
            asked_at: 0,
        }
    }

    pub(crate) fn next(&mut self, epoch: u16, out: &mut [u8; MAX_FRAME_LEN]) -> Next {
        self.queue.discard_older_than(epoch);
        // Asked before the pop: what was pushed before the feed went away is found by the pop.
        let abandoned = self.queue.is_abandoned();
        match self.queue.pop(out) {
            Some((0, FrameMeta { last: true, .. })) => Next::End,
            Some((len, meta)) => {
                self.dry_since_ns = None;
                self.stall_told = false;
                Next::Frame { len, meta }
            }
            None if abandoned => Next::Abandoned,
            None => Next::Dry,
        }
    }

    pub(crate) fn discard_older_than(&mut self, epoch: u16) {
        self.queue.discard_older_than(epoch);
    }

    /// The track whose first frame this is; `None` from the second frame on and for pushed frames.
    pub(crate) fn start(&mut self) -> Option<u32> {
        if self.state != State::Fresh {
            return None;
        }
        self.state = State::Started;
        self.track()
    }

    /// The track that is over with this call; `None` from the second call on and for pushed frames.
    pub(crate) fn end(&mut self) -> Option<u32> {
        if self.state == State::Over {
            return None;
        }
        self.state = State::Over;
        self.track()
    }

    /// The track that has been without a frame for `threshold_ns`, told once per stall, and for how
    /// many milliseconds.
    pub(crate) fn stalled(&mut self, due_ns: u64, threshold_ns: u64) -> Option<(u32, u64)> {
        let dry_ns = due_ns.saturating_sub(*self.dry_since_ns.get_or_insert(due_ns));
        let track = self.track()?;
        if self.stall_told || dry_ns < threshold_ns {
            return None;
        }
        self.stall_told = true;
        Some((track, dry_ns / 1_000_000))
    }

    /// How many pushed frames to ask for, once after each batch that left the queue low.
    pub(crate) fn wanted(&mut self, pushes: u32) -> Option<u32> {
        let low = self.kind == FeedKind::Pushed && self.queue.len() < LOW_WATER;
        if !low || self.asked_at == pushes {
            return None;
        }
        self.asked_at = pushes;
        Some((MAX_QUEUED_FRAMES - self.queue.len()) as u32)
    }

    /// A pause or a hold is no stall: the time without frames counts from anew.
    pub(crate) fn forget_dryness(&mut self) {
        self.dry_since_ns = None;
    }

    pub(crate) fn track(&self) -> Option<u32> {
        match self.kind {
            FeedKind::Track(track) => Some(track),
            FeedKind::Pushed => None,
        }
    }

    pub(crate) fn start_ms(&self) -> u64 {
        self.start_ms
    }

    pub(crate) fn is_started(&self) -> bool {
        self.state != State::Fresh
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether frames may come with nobody telling the pacer, so that it has to look.
    pub(crate) fn comes_by_itself(&self) -> bool {
        !self.is_over() && self.track().is_some()
    }
}
