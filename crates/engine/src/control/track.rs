//! One track between `play` and its end: which of the news about it came, and what may be told.

use cadenza_audio::TrackInfo;

use crate::FlowId;
use crate::event::{EndReason, EngineEvent, EventQueue};
use crate::feed::StreamMetadata;

/// A track that was asked for and has not ended.
///
/// News come from two threads in any order: what the source is from a feed, first and last frame
/// from a pacer. Events leave in the one order that makes sense.
pub(crate) struct PlayingTrack {
    /// The caller's number.
    pub(crate) track: u32,
    /// The engine's own number, different for every `play`.
    pub(crate) serial: u32,
    /// Whether its sound is handed over from outside; there is no way to seek in that.
    pub(crate) pushed: bool,
    info: Option<TrackInfo>,
    /// What the source said last and nobody was told yet.
    metadata: Option<StreamMetadata>,
    started: bool,
    start_told: bool,
    finished: bool,
}

impl PlayingTrack {
    pub(crate) fn new(track: u32, serial: u32) -> PlayingTrack {
        PlayingTrack {
            track,
            serial,
            pushed: false,
            info: None,
            metadata: None,
            started: false,
            start_told: false,
            finished: false,
        }
    }

    /// A track whose sound is handed over from outside. What is known about it is known at once, or
    /// told by the feed that encodes it.
    pub(crate) fn pushed(track: u32, serial: u32, info: Option<TrackInfo>) -> PlayingTrack {
        PlayingTrack {
            pushed: true,
            info,
            ..PlayingTrack::new(track, serial)
        }
    }

    /// The source was recognised.
    pub(crate) fn on_opened(&mut self, info: TrackInfo) {
        self.info = Some(info);
    }

    /// The source says what it plays now.
    pub(crate) fn on_metadata(&mut self, metadata: StreamMetadata) {
        self.metadata = Some(metadata);
    }

    /// The first frame was due.
    pub(crate) fn on_started(&mut self) {
        self.started = true;
    }

    /// The last frame was sent.
    pub(crate) fn on_finished(&mut self) {
        self.started = true;
        self.finished = true;
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started
    }

    /// Tells what may be told by now. `true` when the track is over with that.
    pub(crate) fn tell(&mut self, flow: FlowId, events: &EventQueue) -> bool {
        let Some(info) = self.info.as_ref().filter(|_| self.started) else {
            return false;
        };
        let track = self.track;
        if !self.start_told {
            self.start_told = true;
            let info = info.clone();
            events.push(EngineEvent::TrackStarted { flow, track, info });
        }
        if let Some(metadata) = self.metadata.take() {
            events.push(EngineEvent::TrackMetadata {
                flow,
                track,
                metadata,
            });
        }
        if self.finished {
            let reason = EndReason::Finished;
            events.push(EngineEvent::TrackEnded {
                flow,
                track,
                reason,
            });
        }
        self.finished
    }
}
