//! Filters that change while frames wait: those beyond the next two are made once more.

use cadenza_audio::filters::FilterSettings;

use super::{Job, Next, contained};
use crate::feed::FeedError;
use crate::frame_queue::Place;

/// Frames that have to wait before a revision takes over, unless there are fewer.
const READY: usize = 3;

/// New settings, and where the consumer stood when they were asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::feed) struct FilterChange {
    pub(in crate::feed) settings: FilterSettings,
    pub(in crate::feed) asked_at: Place,
}

impl Job {
    /// Takes on new filters. `Some` when that has to wait for the revision before.
    pub(super) fn follow_filters(
        &mut self,
        change: Option<Box<FilterChange>>,
    ) -> Result<Option<Next>, FeedError> {
        let waiting = self.playback.change.take();
        let Some(change) = change.or(waiting) else {
            return Ok(None);
        };
        self.options.filters = change.settings;
        let Some(source) = &mut self.playback.source else {
            return Ok(None);
        };
        let Some(queued) = self.producer.replaceable(change.asked_at) else {
            self.playback.change = Some(change);
            return Ok(Some(Next::Park(super::SOON)));
        };
        // The mark of the end is no frame of the track.
        let end = usize::from(self.playback.finished && queued > 0);
        let held = usize::from(
            self.playback
                .held
                .as_ref()
                .is_some_and(|frame| !frame.opus.is_empty()),
        );
        let wanted = queued - end + held;
        let again = contained(|| source.set_filters(&change.settings, wanted))?;
        if again == 0 {
            return Ok(None);
        }
        self.playback.held = None;
        self.playback.finished = false;
        self.playback.again = again;
        if again > held {
            self.producer.revise(again - held + end);
        }
        Ok(None)
    }

    /// Lets a revision take over once enough of its frames wait, or all there are for now.
    pub(super) fn publish_revision(&mut self, all: bool) {
        let least = if all { 1 } else { READY };
        if self
            .producer
            .unpublished()
            .is_some_and(|frames| frames >= least)
        {
            self.producer.publish();
        }
    }

    /// Tells the source which of its frames may still be wanted again.
    pub(super) fn keep_unplayed(&mut self) -> Result<(), FeedError> {
        let unplayed = self.producer.unplayed() + usize::from(self.playback.held.is_some());
        match &mut self.playback.source {
            Some(source) => contained(|| {
                source.keep(unplayed);
                Ok(())
            }),
            None => Ok(()),
        }
    }
}
