//! Engine events as one flat JavaScript object with a `kind`; `ts/native` turns it into a typed union.

use cadenza_engine::receive::ReceiveEvent;
use cadenza_engine::{EndReason, EngineEvent, StreamMetadata, TrackInfo};
use napi_derive::napi;

use crate::dave::BindingDaveEvent;
use crate::receive::BindingRecordedFile;

/// What was found in a source.
#[napi(object)]
pub struct BindingTrackInfo {
    /// Container name, such as `ogg`.
    pub container: String,
    /// Codec name, such as `opus`.
    pub codec: String,
    /// Whether Opus packets are sent as they are.
    pub passthrough: bool,
    /// Length in milliseconds, if the source says.
    pub duration_ms: Option<f64>,
    /// Sample rate of the source in Hz.
    pub sample_rate: u32,
    /// Channels of the source.
    pub channels: u32,
    /// Whether the source can be moved to any position.
    pub seekable: bool,
}

impl From<TrackInfo> for BindingTrackInfo {
    fn from(info: TrackInfo) -> Self {
        Self {
            container: info.container.to_string(),
            codec: info.codec.to_string(),
            passthrough: info.passthrough,
            duration_ms: info.duration_ms.map(|ms| ms as f64),
            sample_rate: info.sample_rate,
            channels: info.channels as u32,
            seekable: info.seekable,
        }
    }
}

/// One event; only the fields of its kind are set.
#[napi(object)]
#[derive(Default)]
pub struct BindingEvent {
    /// Which event this is.
    pub kind: String,
    /// The flow it belongs to.
    pub flow: u32,
    /// Transport generation.
    pub generation: Option<u32>,
    /// External address found by IP discovery.
    pub address: Option<String>,
    /// External port found by IP discovery.
    pub port: Option<u16>,
    /// Track number.
    pub track: Option<u32>,
    /// What was found in the source.
    pub info: Option<BindingTrackInfo>,
    /// End reason or failure reason.
    pub reason: Option<String>,
    /// Stable error code.
    pub code: Option<String>,
    /// Message for people.
    pub message: Option<String>,
    /// What a source says it plays.
    pub title: Option<String>,
    /// The name of the station that plays it.
    pub station: Option<String>,
    /// An address about either.
    pub url: Option<String>,
    /// Milliseconds without a frame.
    pub for_ms: Option<f64>,
    /// Frames wanted.
    pub count: Option<u32>,
    /// News of end-to-end encryption.
    pub dave: Option<BindingDaveEvent>,
    /// Who speaks.
    pub user_id: Option<String>,
    /// Began or stopped.
    pub speaking: Option<bool>,
    /// Recording number.
    pub recording: Option<u32>,
    /// Files of a recording.
    pub files: Option<Vec<BindingRecordedFile>>,
}

impl BindingEvent {
    fn new(kind: &str, flow: u32) -> Self {
        Self {
            kind: kind.to_owned(),
            flow,
            ..Self::default()
        }
    }

    fn receiving(flow: u32, event: ReceiveEvent) -> Self {
        match event {
            ReceiveEvent::AudioReady => Self::new("audio_ready", flow),
            ReceiveEvent::Speaking { user, speaking } => Self {
                user_id: Some(user.to_string()),
                speaking: Some(speaking),
                ..Self::new("speaking", flow)
            },
            ReceiveEvent::RecordingEnded { recording, files } => Self {
                recording: Some(recording),
                files: Some(files.into_iter().map(Into::into).collect()),
                ..Self::new("recording_ended", flow)
            },
            ReceiveEvent::RecordingFailed {
                recording,
                code,
                message,
            } => Self {
                recording: Some(recording),
                code: Some(code.to_owned()),
                message: Some(message),
                ..Self::new("recording_failed", flow)
            },
        }
    }

    fn track(kind: &str, flow: u32, track: u32) -> Self {
        Self {
            track: Some(track),
            ..Self::new(kind, flow)
        }
    }

    fn metadata(flow: u32, track: u32, said: StreamMetadata) -> Self {
        Self {
            title: said.title,
            station: said.station,
            url: said.url,
            ..Self::track("track_metadata", flow, track)
        }
    }

    fn transport(kind: &str, flow: u32, generation: u32) -> Self {
        Self {
            generation: Some(generation),
            ..Self::new(kind, flow)
        }
    }
}

impl From<EngineEvent> for BindingEvent {
    fn from(event: EngineEvent) -> Self {
        match event {
            EngineEvent::Discovered {
                flow,
                generation,
                address,
                port,
            } => Self {
                address: Some(address.to_string()),
                port: Some(port),
                ..Self::transport("discovered", flow, generation)
            },
            EngineEvent::DiscoveryFailed {
                flow,
                generation,
                reason,
            } => Self {
                reason: Some(reason.to_owned()),
                ..Self::transport("discovery_failed", flow, generation)
            },
            EngineEvent::TransportFailed {
                flow,
                generation,
                message,
            } => Self {
                message: Some(message),
                ..Self::transport("transport_failed", flow, generation)
            },
            EngineEvent::TrackStarted { flow, track, info } => Self {
                info: Some(info.into()),
                ..Self::track("track_started", flow, track)
            },
            EngineEvent::TrackEnded {
                flow,
                track,
                reason,
            } => Self {
                reason: Some(end_reason(reason).to_owned()),
                ..Self::track("track_ended", flow, track)
            },
            EngineEvent::TrackFailed {
                flow,
                track,
                code,
                message,
            } => Self {
                code: Some(code.to_owned()),
                message: Some(message),
                ..Self::track("track_failed", flow, track)
            },
            EngineEvent::TrackStalled {
                flow,
                track,
                for_ms,
            } => Self {
                for_ms: Some(for_ms as f64),
                ..Self::track("track_stalled", flow, track)
            },
            EngineEvent::TrackMetadata {
                flow,
                track,
                metadata,
            } => Self::metadata(flow, track, metadata),
            EngineEvent::Receiving { flow, event } => Self::receiving(flow, event),
            EngineEvent::TrackStarved { flow, track } => Self::track("track_starved", flow, track),
            EngineEvent::Drained { flow } => Self::new("drained", flow),
            EngineEvent::FramesWanted { flow, count } => Self {
                count: Some(count),
                ..Self::new("frames_wanted", flow)
            },
            EngineEvent::Dave { flow, event } => Self {
                dave: Some(event.into()),
                ..Self::new("dave", flow)
            },
        }
    }
}

fn end_reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Finished => "finished",
        EndReason::Stopped => "stopped",
        EndReason::Replaced => "replaced",
    }
}
