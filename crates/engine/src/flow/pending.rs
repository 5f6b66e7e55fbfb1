//! Notices of one flow on their way into the pacer's ring, kept until there is room for them.

use crate::FlowId;
use crate::pacer::{Notice, Output};

/// What is still to be told about a flow. Nothing here is lost when the ring is full for a while.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) started: Option<u32>,
    pub(super) stalled: Option<(u32, u64)>,
    pub(super) starved: Option<u32>,
    pub(super) finished: Option<u32>,
    pub(super) abandoned: Option<u32>,
    pub(super) wanted: Option<u32>,
    pub(super) drained: bool,
    /// A stream begins to yield frames.
    pub(super) woke: bool,
    /// Generation and error number.
    pub(super) failing: Option<(u32, i32)>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.started.is_none()
            && self.stalled.is_none()
            && self.starved.is_none()
            && self.finished.is_none()
            && self.abandoned.is_none()
            && self.wanted.is_none()
            && !self.drained
            && !self.woke
            && self.failing.is_none()
    }

    /// Forgets what is only of interest while the track plays.
    pub(super) fn forget_track(&mut self) {
        *self = Pending {
            drained: self.drained,
            woke: self.woke,
            failing: self.failing,
            ..Pending::default()
        };
    }

    /// Tells as much as there is room for, in the order in which it happened.
    pub(super) fn flush<H>(&mut self, flow: FlowId, output: &mut Output<H>) {
        if self.is_empty() {
            return;
        }
        let woke = self.woke.then_some(Notice::Woke { flow });
        let started = self.started.map(|track| Notice::Started { flow, track });
        let stalled = self.stalled.map(|(track, for_ms)| Notice::Stalled {
            flow,
            track,
            for_ms,
        });
        let starved = self.starved.map(|track| Notice::Starved { flow, track });
        let finished = self.finished.map(|track| Notice::Finished { flow, track });
        let abandoned = self
            .abandoned
            .map(|track| Notice::Abandoned { flow, track });
        let wanted = self
            .wanted
            .map(|count| Notice::FramesWanted { flow, count });
        let drained = self.drained.then_some(Notice::Drained { flow });
        let failing = self
            .failing
            .map(|(generation, os_error)| Notice::SendFailing {
                flow,
                generation,
                os_error,
            });
        let all = [
            woke, started, starved, stalled, finished, abandoned, wanted, drained, failing,
        ];
        if output.has_notice_room(all.len()) {
            for notice in all.into_iter().flatten() {
                output.notify(notice);
            }
            *self = Pending::default();
        }
    }
}
