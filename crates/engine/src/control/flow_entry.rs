//! One flow as control knows it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cadenza_audio::filters::FilterSettings;
use cadenza_proto::transport::TransportMode;

use super::PlayingTrack;
use crate::FlowId;
use crate::addresses::TransportAddresses;
use crate::dave::DaveEntry;
use crate::feed::PushWriter;
use crate::flow::{Broadcast, FlowShared, LOW_WATER};
use crate::frame_queue::{FrameMeta, FrameProducer, MAX_FRAME_LEN, MAX_QUEUED_FRAMES, QueueDepth};
use crate::stats::FlowStats;

/// Bookkeeping of one flow.
pub(crate) struct FlowEntry {
    /// Which pacer it is on.
    pub(crate) pacer: usize,
    /// Its place there.
    pub(crate) place: u32,
    pub(crate) shared: Arc<FlowShared>,
    pub(crate) transport: Option<OpenTransport>,
    /// The keys sent to the pacer last. They stay known after the transport is closed: the same keys
    /// again must go on with their nonces.
    pub(crate) keys: Option<Keys>,
    pub(crate) track: Option<PlayingTrack>,
    /// The serial under which the feed host may still know this flow.
    pub(crate) last_serial: Option<u32>,
    /// Whether the pacer holds a feed, be it over or not.
    pub(crate) has_feed: bool,
    pub(crate) depth: QueueDepth,
    pub(crate) pushing: Option<Pushing>,
    /// What is done to the sound of this track and of those to come.
    pub(crate) filters: FilterSettings,
    /// End-to-end encryption, once it was asked for.
    pub(crate) dave: Option<DaveEntry>,
    /// The writing end of pushed bytes.
    pub(crate) push: Option<Arc<PushWriter>>,
    /// For a stream: its ring, and who reads it.
    pub(crate) stream: Option<Stream>,
    /// The stream that this call plays.
    pub(crate) subscribed_to: Option<FlowId>,
    frames_refused: AtomicU64,
}

/// The many ends of a stream.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) ring: Arc<Broadcast>,
    pub(crate) subscribers: HashSet<FlowId>,
}

/// A socket that is open.
#[derive(Clone, Copy)]
pub(crate) struct OpenTransport {
    pub(crate) generation: u32,
    pub(crate) ssrc: u32,
    /// Whether its failure was told.
    pub(crate) failed: bool,
    pub(crate) addresses: Option<TransportAddresses>,
}

/// Mode and key of a session. Has no `Debug` on purpose.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Keys {
    pub(crate) mode: TransportMode,
    pub(crate) key: [u8; 32],
}

/// The writing end of frames handed over from outside.
pub(crate) struct Pushing {
    pub(crate) producer: FrameProducer,
    pushed_ms: u32,
}

impl Pushing {
    pub(crate) fn new(producer: FrameProducer) -> Pushing {
        Pushing {
            producer,
            pushed_ms: 0,
        }
    }
}

impl FlowEntry {
    pub(crate) fn new(pacer: usize, place: u32, shared: Arc<FlowShared>) -> FlowEntry {
        FlowEntry {
            pacer,
            place,
            shared,
            transport: None,
            keys: None,
            track: None,
            last_serial: None,
            has_feed: false,
            depth: QueueDepth::default(),
            pushing: None,
            filters: FilterSettings::default(),
            dave: None,
            push: None,
            stream: None,
            subscribed_to: None,
            frames_refused: AtomicU64::new(0),
        }
    }

    /// Queues pushed frames until one finds no room; returns how many were dealt with.
    ///
    /// Frames that can be no Opus packet are counted as refused and passed over: offering them again
    /// would never help.
    pub(crate) fn push_frames(&mut self, frames: &[&[u8]]) -> usize {
        let Some(pushing) = &mut self.pushing else {
            return 0;
        };
        let epoch = self.shared.epoch();
        for (taken, frame) in frames.iter().enumerate() {
            if frame.is_empty() || frame.len() > MAX_FRAME_LEN {
                self.frames_refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let position_ms = pushing.pushed_ms.wrapping_add(20);
            let meta = FrameMeta {
                epoch,
                position_ms,
                last: false,
            };
            if !pushing.producer.try_push(frame, meta) {
                return taken;
            }
            pushing.pushed_ms = position_ms;
        }
        frames.len()
    }

    /// How many pushed frames to ask for at once, because few wait after a push.
    pub(crate) fn wants_more(&self) -> Option<u32> {
        let waiting = self.pushing.as_ref()?.producer.len();
        (waiting < LOW_WATER).then_some((MAX_QUEUED_FRAMES - waiting) as u32)
    }

    pub(crate) fn stats(&self) -> FlowStats {
        let shared = self.shared.stats();
        FlowStats {
            send_errors: shared.send_errors + self.frames_refused.load(Ordering::Relaxed),
            queue_frames: self.depth.frames() as u64,
            playing_track: self.track.as_ref().map(|playing| playing.track),
            ..shared
        }
    }
}
