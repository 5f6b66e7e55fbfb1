//! The pacer's view of what fills a flow: a queue, whose it is, and whether it runs dry.

use super::broadcast::BroadcastReader;
use crate::frame_queue::{FrameConsumer, FrameMeta, MAX_FRAME_LEN, MAX_QUEUED_FRAMES};

/// Below this many waiting frames (400 ms) pushed frames are asked for.
pub(crate) const LOW_WATER: usize = 20;

/// Whose frames these are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FeedKind {
    /// A track read by the engine itself.
    Track(u32),
    /// A track whose Opus frames are handed over from outside.
    PushedTrack(u32),
    /// A track whose samples are handed over from outside and encoded by the engine.
    PushedSamples(u32),
    /// Frames handed over from outside; they have no end.
    Pushed,
    /// What a stream plays, shared with others.
    Stream,
}

/// A queue being played.
#[derive(Debug)]
pub struct Feed {
    frames: Frames,
    kind: FeedKind,
    /// Where the sound begins, in milliseconds of source time.
    start_ms: u64,
    state: State,
    /// When a frame was first missing, until one comes.
    dry_since_ns: Option<u64>,
    stall_told: bool,
    starving_told: bool,
    /// The count of pushed batches at which more were last asked for.
    asked_at: u32,
}

/// Where the frames wait.
#[derive(Debug)]
enum Frames {
    Queue(FrameConsumer),
    Stream(BroadcastReader),
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
        Feed::of(Frames::Queue(queue), kind, start_ms)
    }

    /// A feed of what a stream plays from now on.
    pub fn of_stream(reader: BroadcastReader) -> Feed {
        Feed::of(Frames::Stream(reader), FeedKind::Stream, 0)
    }

    fn of(frames: Frames, kind: FeedKind, start_ms: u64) -> Feed {
        Feed {
            frames,
            kind,
            start_ms,
            state: State::Fresh,
            dry_since_ns: None,
            stall_told: false,
            starving_told: false,
            asked_at: 0,
        }
    }

    pub(crate) fn next(&mut self, epoch: u16, out: &mut [u8; MAX_FRAME_LEN]) -> Next {
        let queue = match &mut self.frames {
            Frames::Queue(queue) => queue,
            Frames::Stream(reader) => return next_of_stream(reader, epoch, out),
        };
        queue.discard_older_than(epoch);
        // Asked before the pop: what was pushed before the feed went away is found by the pop.
        let abandoned = queue.is_abandoned();
        match queue.pop(out) {
            Some((0, FrameMeta { last: true, .. })) => Next::End,
            Some((len, meta)) => {
                self.dry_since_ns = None;
                self.stall_told = false;
                self.starving_told = false;
                Next::Frame { len, meta }
            }
            // Whoever pushes marks the end by letting go of the queue.
            None if abandoned && self.is_pushed() => Next::End,
            None if abandoned => Next::Abandoned,
            None => Next::Dry,
        }
    }

    /// Asks for what leads to the next frame.
    pub(crate) fn warm_queue(&self) {
        if let Frames::Queue(queue) = &self.frames {
            queue.warm();
        }
    }

    /// Asks for the next frame's bytes.
    pub(crate) fn warm_frame(&mut self) {
        if let Frames::Queue(queue) = &mut self.frames {
            queue.warm_frame();
        }
    }

    pub(crate) fn discard_older_than(&mut self, epoch: u16) {
        if let Frames::Queue(queue) = &mut self.frames {
            queue.discard_older_than(epoch);
        }
    }

    /// Frames of a stream that were gone before this flow took them.
    pub(crate) fn take_missed(&mut self) -> u64 {
        match &mut self.frames {
            Frames::Queue(_) => 0,
            Frames::Stream(reader) => reader.take_missed(),
        }
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

    /// The pushed track that has begun and has no frame, told once until one comes.
    pub(crate) fn starving(&mut self) -> Option<u32> {
        let late = self.is_pushed() && self.is_started() && !self.starving_told;
        let track = self.track().filter(|_| late)?;
        self.starving_told = true;
        Some(track)
    }

    /// How many pushed frames to ask for, once after each batch that left the queue low.
    pub(crate) fn wanted(&mut self, pushes: u32) -> Option<u32> {
        let Frames::Queue(queue) = &self.frames else {
            return None;
        };
        let opus = matches!(self.kind, FeedKind::Pushed | FeedKind::PushedTrack(_));
        let low = opus && queue.len() < LOW_WATER && !queue.is_abandoned();
        if !low || self.asked_at == pushes {
            return None;
        }
        self.asked_at = pushes;
        Some((MAX_QUEUED_FRAMES - queue.len()) as u32)
    }

    /// A pause or a hold is no stall: the time without frames counts from anew.
    pub(crate) fn forget_dryness(&mut self) {
        self.dry_since_ns = None;
    }

    pub(crate) fn track(&self) -> Option<u32> {
        match self.kind {
            FeedKind::Track(track)
            | FeedKind::PushedTrack(track)
            | FeedKind::PushedSamples(track) => Some(track),
            FeedKind::Pushed | FeedKind::Stream => None,
        }
    }

    pub(crate) fn start_ms(&self) -> u64 {
        self.start_ms
    }

    pub(crate) fn is_started(&self) -> bool {
        self.state != State::Fresh || self.kind == FeedKind::Stream
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    pub(crate) fn is_empty(&self) -> bool {
        match &self.frames {
            Frames::Queue(queue) => queue.is_empty(),
            Frames::Stream(reader) => reader.is_empty(),
        }
    }

    /// Whether frames may come with nobody telling the pacer, so that it has to look.
    pub(crate) fn comes_by_itself(&self) -> bool {
        let queue = match &self.frames {
            Frames::Queue(queue) => queue,
            Frames::Stream(reader) => return reader.comes_by_itself(),
        };
        // Pushed frames come with a poke; until then only a stall is left to be told.
        let awaited = match self.kind {
            FeedKind::Track(_) | FeedKind::PushedSamples(_) => true,
            FeedKind::PushedTrack(_) => !self.stall_told || queue.is_abandoned(),
            FeedKind::Pushed => queue.is_abandoned(),
            FeedKind::Stream => false,
        };
        awaited && !self.is_over()
    }

    fn is_pushed(&self) -> bool {
        match self.kind {
            FeedKind::Track(_) | FeedKind::Stream => false,
            FeedKind::PushedTrack(_) | FeedKind::PushedSamples(_) | FeedKind::Pushed => true,
        }
    }
}

fn next_of_stream(reader: &mut BroadcastReader, epoch: u16, out: &mut [u8; MAX_FRAME_LEN]) -> Next {
    let Some((len, position_ms)) = reader.pop(out) else {
        return Next::Dry;
    };
    let meta = FrameMeta {
        epoch,
        position_ms,
        last: false,
    };
    Next::Frame { len, meta }
}
