//! What a feed tells its encoder, and when it has enough bytes to go on.

use super::{Job, Origin, contained};
use crate::feed::FeedError;
use crate::feed::pool::Pool;

/// A decoder runs once this many bytes wait for it: more than nearly every frame of every format.
const MANY_BYTES: usize = 16 * 1024;
/// With few frames queued it also runs on this many: live streams come no faster than they play.
const FEW_BYTES: usize = 4 * 1024;
/// Queued frames below which that is so.
pub(super) const LOW_QUEUE: usize = 12;
/// Queued frames below which an encoded track that was ahead counts as about to run dry.
const SHORT_QUEUE: usize = 5;

impl Job {
    /// Gives the encoder the settings wanted at present, within the effort that is allowed.
    pub(super) fn follow_encoder(&mut self, pool: &Pool) -> Result<(), FeedError> {
        let effort = pool.effort();
        let encodes = self.encodes();
        let playback = &mut self.playback;
        if encodes && playback.was_ahead && self.producer.unplayed() < SHORT_QUEUE {
            playback.was_ahead = false;
            effort.note_short();
        }
        let mut settings = self.encoder.load();
        settings.complexity = settings.complexity.min(effort.cap());
        if playback.encoder == Some(settings) {
            return Ok(());
        }
        playback.encoder = Some(settings);
        match &mut playback.source {
            Some(source) => contained(|| source.set_encoder(&settings)),
            None => Ok(()),
        }
    }

    /// Counts a frame that was made, if it was encoded here.
    pub(super) fn count_encoded(&self, pool: &Pool) {
        if self.encodes() {
            pool.effort().note_encoded();
        }
    }

    /// Whether a decoder call will most likely not have to wait for bytes.
    pub(super) fn bytes_wait(&self) -> bool {
        if self.playback.again > 1 {
            return true;
        }
        // A queue about to run dry is worth the risk of a read that waits.
        let urgent = self.playback.opened && self.producer.unplayed() < LOW_QUEUE;
        let needed = if urgent { FEW_BYTES } else { MANY_BYTES };
        match &self.origin {
            Origin::Http(http) => http.pipe.ready(needed),
            Origin::Pushed(pipe) => pipe.ready(needed),
            Origin::File(_) | Origin::Refused(_) => true,
        }
    }

    /// Whether frames are encoded here, as those that pass through unchanged are not.
    pub(super) fn encodes(&self) -> bool {
        !self.playback.passes || !self.options.filters.is_neutral()
    }
}
