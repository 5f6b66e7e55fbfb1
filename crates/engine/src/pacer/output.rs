//! What leaves a pacer besides packets: notices of what happened, and things to be freed elsewhere.
//!
//! Both go through lock-free rings towards the receive thread, which is rung at most once per tick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use super::command::Garbage;
use crate::FlowId;
use crate::flow::Flow;
use crate::transport::Doorbell;

/// Notices that may be under way.
const NOTICES: usize = 8_192;
/// Things that may wait to be freed.
const GARBAGE: usize = 4_096;

/// Something the pacer saw happen to a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notice {
    /// The first frame of a track was sent, or was due while there was no session.
    Started {
        /// The flow.
        flow: FlowId,
        /// Its track.
        track: u32,
    },
    /// The last frame of a track was sent.
    Finished {
        /// The flow.
        flow: FlowId,
        /// Its track.
        track: u32,
    },
    /// The feed of a track is gone without having marked the track's end.
    Abandoned {
        /// The flow.
        flow: FlowId,
        /// Its track.
        track: u32,
    },
    /// A track that should sound has had no frame for a while.
    Stalled {
        /// The flow.
        flow: FlowId,
        /// Its track.
        track: u32,
        /// Milliseconds since the last frame was due.
        for_ms: u64,
    },
    /// A pushed track that should sound has no frame.
    Starved {
        /// The flow.
        flow: FlowId,
        /// Its track.
        track: u32,
    },
    /// A stream begins to yield frames.
    Woke {
        /// The stream.
        flow: FlowId,
    },
    /// Five silence frames are out.
    Drained {
        /// The flow.
        flow: FlowId,
    },
    /// Pushed frames are running low.
    FramesWanted {
        /// The flow.
        flow: FlowId,
        /// How many would fit.
        count: u32,
    },
    /// The socket refuses most packets.
    SendFailing {
        /// The flow.
        flow: FlowId,
        /// The transport's generation.
        generation: u32,
        /// The system's error number, 0 if it gave none.
        os_error: i32,
    },
}

/// The pacer's end.
pub(crate) struct Output<H> {
    notices: Producer<Notice>,
    garbage: Producer<Garbage<H>>,
    bell: Bell,
}

/// The other end, read by one thread.
pub struct PacerReports<H> {
    notices: Consumer<Notice>,
    garbage: Consumer<Garbage<H>>,
    moved: Vec<Box<Flow<H>>>,
    rung: Arc<AtomicBool>,
}

struct Bell {
    wake: Arc<Doorbell>,
    /// Set from a ring of the bell until the reader begins to read.
    rung: Arc<AtomicBool>,
    due: bool,
}

pub(crate) fn output<H>(wake: Arc<Doorbell>) -> (Output<H>, PacerReports<H>) {
    let (notices_in, notices_out) = RingBuffer::new(NOTICES);
    let (garbage_in, garbage_out) = RingBuffer::new(GARBAGE);
    let rung = Arc::new(AtomicBool::new(false));
    let bell = Bell {
        wake,
        rung: Arc::clone(&rung),
        due: false,
    };
    let output = Output {
        notices: notices_in,
        garbage: garbage_in,
        bell,
    };
    let reports = PacerReports {
        notices: notices_out,
        garbage: garbage_out,
        moved: Vec::new(),
        rung,
    };
    (output, reports)
}

impl<H> Output<H> {
    /// Whether `count` notices can be taken; if not, the caller tries again a period later.
    pub(crate) fn has_notice_room(&self, count: usize) -> bool {
        self.notices.slots() >= count
    }

    /// Queues a notice for which room was found.
    pub(crate) fn notify(&mut self, notice: Notice) {
        self.bell.due = true;
        let pushed = self.notices.push(notice).is_ok();
        debug_assert!(pushed, "room is checked before");
    }

    /// Whether one command's leftovers can be taken.
    pub(crate) fn has_garbage_room(&self) -> bool {
        // No command leaves more than the parts of one flow.
        self.garbage.slots() >= 4
    }

    /// Hands something over to be freed on another thread.
    pub(crate) fn dispose(&mut self, garbage: Garbage<H>) {
        self.bell.due = true;
        let pushed = self.garbage.push(garbage).is_ok();
        debug_assert!(pushed, "room is checked before each command");
    }

    /// Wakes the reader if there is something new and it is not awake for it yet.
    pub(crate) fn ring(&mut self) {
        if std::mem::take(&mut self.bell.due) && !self.bell.rung.swap(true, Ordering::SeqCst) {
            self.bell.wake.ring();
        }
    }
}

impl<H> PacerReports<H> {
    /// Frees what the pacer handed over, and returns the notices in order.
    pub fn read(&mut self, notices: &mut Vec<Notice>) {
        self.rung.store(false, Ordering::SeqCst);
        while let Ok(garbage) = self.garbage.pop() {
            if let Garbage::Moving(flow) = garbage {
                self.moved.push(flow);
            }
        }
        while let Ok(notice) = self.notices.pop() {
            notices.push(notice);
        }
    }

    /// The flows that left for another pacer, as found by the last [`read`](Self::read).
    pub fn take_moved(&mut self) -> Vec<Box<Flow<H>>> {
        std::mem::take(&mut self.moved)
    }
}
