//! Sound handed over from outside: Opus frames and samples, with an end like any other track's.

use std::sync::Arc;

use cadenza_audio::{EncoderSettings, OpenOptions, SAMPLE_RATE, TrackInfo};

use super::{Engine, install_feed};
use crate::config::{PushContent, PushRequest};
use crate::control::{PlayingTrack, Pushing, Table};
use crate::event::{EndReason, EngineEvent};
use crate::feed::{FeedHost, PushedShape};
use crate::flow::{Feed, FeedKind};
use crate::frame_queue::{FrameConsumer, MAX_QUEUED_FRAMES, frame_queue};
use crate::{EngineError, FlowId};

/// What is known about frames that are pushed.
const PUSHED_OPUS: TrackInfo = TrackInfo {
    container: "pushed",
    codec: "opus",
    passthrough: true,
    duration_ms: None,
    sample_rate: SAMPLE_RATE,
    channels: 2,
    seekable: false,
};

impl Engine {
    /// Begins a track whose sound is pushed; it replaces what plays. Frames are asked for at once.
    ///
    /// # Errors
    /// [`EngineError::InvalidFormat`] for samples of an impossible shape, and those of an unknown flow
    /// or a busy engine; then what played goes on.
    pub fn open_push(&self, flow: FlowId, request: PushRequest) -> Result<(), EngineError> {
        let feeds = self.feeds();
        let feeds = feeds.as_ref().ok_or(EngineError::ShutDown)?;
        if let PushContent::Pcm { format, .. } = request.content
            && !format.is_valid()
        {
            return Err(EngineError::InvalidFormat);
        }
        let (producer, queue) = frame_queue(self.queue_bytes);
        let Some((shape, options)) = decoded(request.content) else {
            return self.control.with(|table, events| {
                let (former, _) = install_pushed(table, flow, request, queue, events)?;
                cancel(feeds, flow, former);
                let (entry, _) = table.flow(flow)?;
                entry.pushing = Some(Pushing::new(producer));
                let count = MAX_QUEUED_FRAMES as u32;
                events.push(EngineEvent::FramesWanted { flow, count });
                Ok(())
            });
        };
        let (serial, epoch, filters) = self.control.with(|table, events| {
            let (_, serial) = install_pushed(table, flow, request, queue, events)?;
            let (entry, _) = table.flow(flow)?;
            entry.last_serial = Some(serial);
            Ok((serial, entry.shared.epoch(), entry.filters))
        })?;
        // What the feed did before is over with this.
        let sound = (shape, OpenOptions { filters, ..options });
        let writer = feeds.open_pushed(flow, serial, sound, producer, epoch);
        self.control.with(|table, events| {
            let count = writer.capacity();
            table.flow(flow)?.0.push = Some(Arc::new(writer));
            events.push(EngineEvent::FramesWanted { flow, count });
            Ok(())
        })
    }

    /// Queues 20 ms Opus packets from outside; returns how many were taken, from the front.
    ///
    /// They belong to the track that [`open_push`](Self::open_push) began. With nothing playing they
    /// are sent as well, as frames of no track. None are taken while another track plays. Packets longer
    /// than 1275 bytes and empty ones are taken, dropped and counted among the send errors.
    pub fn push_frames(&self, flow: FlowId, frames: &[&[u8]]) -> usize {
        self.control.with(|table, events| {
            let Ok((entry, _)) = table.flow(flow) else {
                return 0;
            };
            let elsewhere = entry.track.is_some() && entry.pushing.is_none();
            if frames.is_empty() || elsewhere {
                return 0;
            }
            if entry.pushing.is_none() && self.begin_untracked(table, flow).is_err() {
                return 0;
            }
            let Ok((entry, _)) = table.flow(flow) else {
                return 0;
            };
            let taken = entry.push_frames(frames);
            match entry.wants_more() {
                // The pacer need not ask as well.
                Some(count) => events.push(EngineEvent::FramesWanted { flow, count }),
                None => entry.shared.note_push(),
            }
            table.poke(flow);
            taken
        })
    }

    /// Offers samples or bytes of a file to the track that [`open_push`](Self::open_push) began; returns how many bytes
    /// were taken, from the front. At most one second of samples, or 128 KiB of a file, waits.
    pub fn push_bytes(&self, flow: FlowId, bytes: &[u8]) -> usize {
        let writer = self.control.with(|table, _| {
            let (entry, _) = table.flow(flow).ok()?;
            entry.push.clone()
        });
        let Some(writer) = writer else { return 0 };
        let pushed = writer.push(bytes);
        if let Some(count) = pushed.wanted {
            self.control.with(|_, events| {
                events.push(EngineEvent::FramesWanted { flow, count });
            });
        }
        pushed.taken
    }

    /// Marks the end of what is pushed: the track ends when what waits has been sent.
    pub fn end_push(&self, flow: FlowId) {
        self.control.with(|table, _| {
            let Ok((entry, _)) = table.flow(flow) else {
                return;
            };
            // The other ends see that nobody writes any more.
            let (frames, samples) = (entry.pushing.take(), entry.push.take());
            if frames.is_some() || samples.is_some() {
                table.poke(flow);
            }
        });
    }

    /// Changes the encoder of the track that plays, from the next frames on: up to half a second of
    /// sound is encoded already. Without effect on tracks that pass through, and on later tracks.
    pub fn set_encoder(&self, flow: FlowId, settings: &EncoderSettings) {
        let feeds = self.feeds();
        let serial = self.control.with(|table, _| {
            let (entry, _) = table.flow(flow).ok()?;
            Some(entry.track.as_ref()?.serial)
        });
        if let (Some(feeds), Some(serial)) = (&*feeds, serial) {
            feeds.set_encoder(flow, serial, settings);
        }
    }

    fn begin_untracked(&self, table: &mut Table, flow: FlowId) -> Result<(), EngineError> {
        let (producer, queue) = frame_queue(self.queue_bytes);
        let depth = queue.depth();
        let feed = Box::new(Feed::new(queue, FeedKind::Pushed, 0));
        install_feed(table, flow, feed)?;
        let (entry, _) = table.flow(flow)?;
        entry.pushing = Some(Pushing::new(producer));
        entry.depth = depth;
        Ok(())
    }
}

/// How a decoder opens what is pushed; `None` for what needs none.
fn decoded(content: PushContent) -> Option<(PushedShape, OpenOptions)> {
    let plain = OpenOptions::default();
    match content {
        PushContent::Opus => None,
        PushContent::Pcm { format, encoder } => Some((
            PushedShape::Samples(format),
            OpenOptions { encoder, ..plain },
        )),
        PushContent::File {
            start_ms,
            end_ms,
            encoder,
        } => {
            let options = OpenOptions {
                start_ms,
                end_ms,
                encoder,
                ..plain
            };
            Some((PushedShape::File, options))
        }
    }
}

/// Lets the pacer play the queue as a new track; returns the serial of the feed before, and its own.
fn install_pushed(
    table: &mut Table,
    flow: FlowId,
    request: PushRequest,
    queue: FrameConsumer,
    events: &crate::event::EventQueue,
) -> Result<(Option<u32>, u32), EngineError> {
    let serial = table.next_serial();
    let (kind, info) = match request.content {
        PushContent::Opus => (FeedKind::PushedTrack(serial), Some(PUSHED_OPUS)),
        PushContent::File { .. } | PushContent::Pcm { .. } => {
            (FeedKind::PushedSamples(serial), None)
        }
    };
    let start_ms = match request.content {
        PushContent::File { start_ms, .. } => start_ms,
        PushContent::Opus | PushContent::Pcm { .. } => 0,
    };
    let depth = queue.depth();
    install_feed(table, flow, Box::new(Feed::new(queue, kind, start_ms)))?;
    let (entry, _) = table.flow(flow)?;
    entry.end_track(flow, EndReason::Replaced, events);
    entry.track = Some(PlayingTrack::pushed(request.track, serial, info));
    entry.pushing = None;
    entry.push = None;
    entry.depth = depth;
    Ok((entry.last_serial.take(), serial))
}

pub(super) fn cancel(feeds: &FeedHost, flow: FlowId, serial: Option<u32>) {
    if let Some(serial) = serial {
        feeds.cancel(flow, serial);
    }
}
