//! Pushed tracks and encoder settings.

use cadenza_engine::{EncoderSettings, PcmFormat, PushContent, PushRequest, SampleType, Signal};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use crate::binding_engine::BindingEngine;
use crate::failure::{BindingFailure, outcome};
use crate::options::millis;

/// Settings of the Opus encoder; missing ones take the engine's defaults.
#[napi(object)]
#[derive(Default)]
pub struct BindingEncoder {
    /// Bits per second.
    pub bitrate: Option<u32>,
    /// Effort, 0 to 10.
    pub complexity: Option<u8>,
    /// In-band forward error correction.
    pub fec: Option<bool>,
    /// Expected loss, 0 to 100.
    pub expected_loss_percent: Option<u8>,
    /// `auto`, `music` or `voice`.
    pub signal: Option<String>,
}

impl BindingEncoder {
    pub(crate) fn settings(&self) -> Result<EncoderSettings, BindingFailure> {
        let defaults = EncoderSettings::default();
        let signal = match self.signal.as_deref() {
            None => defaults.signal,
            Some("auto") => Signal::Auto,
            Some("music") => Signal::Music,
            Some("voice") => Signal::Voice,
            Some(_) => {
                return Err(BindingFailure::invalid_argument(
                    "an encoder's signal is one of auto, music and voice",
                ));
            }
        };
        Ok(EncoderSettings {
            bitrate: self.bitrate.unwrap_or(defaults.bitrate),
            complexity: self.complexity.unwrap_or(defaults.complexity),
            fec: self.fec.unwrap_or(defaults.fec),
            expected_loss_percent: self
                .expected_loss_percent
                .unwrap_or(defaults.expected_loss_percent),
            signal,
        })
    }
}

/// The shape of pushed samples.
#[napi(object)]
pub struct BindingPcmFormat {
    /// `s16le` or `f32le`.
    pub sample_type: String,
    /// Hz.
    pub sample_rate: u32,
    /// Interleaved channels.
    pub channels: u8,
}

impl BindingPcmFormat {
    fn format(&self) -> Result<PcmFormat, BindingFailure> {
        let sample_type = match self.sample_type.as_str() {
            "s16le" => SampleType::S16Le,
            "f32le" => SampleType::F32Le,
            _ => {
                return Err(BindingFailure::invalid_argument(
                    "samples are one of s16le and f32le",
                ));
            }
        };
        Ok(PcmFormat {
            sample_type,
            sample_rate: self.sample_rate,
            channels: self.channels,
        })
    }
}

/// A file whose bytes are pushed.
#[napi(object)]
pub struct BindingPushedFile {
    /// Where to begin, in milliseconds of source time.
    pub start_ms: Option<f64>,
    /// Where to end, in milliseconds of source time.
    pub end_ms: Option<f64>,
}

/// A track whose sound is pushed.
#[napi(object)]
pub struct BindingPushRequest {
    /// Comes back in the track's events.
    pub track: u32,
    /// The shape of samples. With neither this nor `file`, Opus frames are pushed.
    pub pcm: Option<BindingPcmFormat>,
    /// The range of a file.
    pub file: Option<BindingPushedFile>,
    /// For samples and files.
    pub encoder: Option<BindingEncoder>,
}

impl TryFrom<BindingPushRequest> for PushRequest {
    type Error = BindingFailure;

    fn try_from(request: BindingPushRequest) -> Result<Self, BindingFailure> {
        let encoder = request.encoder.unwrap_or_default().settings()?;
        let content = match (request.pcm, request.file) {
            (None, None) => PushContent::Opus,
            (Some(pcm), _) => PushContent::Pcm {
                format: pcm.format()?,
                encoder,
            },
            (None, Some(file)) => PushContent::File {
                start_ms: file.start_ms.map_or(0, millis),
                end_ms: file.end_ms.map(millis),
                encoder,
            },
        };
        Ok(Self {
            track: request.track,
            content,
        })
    }
}

#[napi]
impl BindingEngine {
    /// Begins a track whose sound is pushed.
    #[napi]
    pub fn open_push(&self, flow: u32, request: BindingPushRequest) -> Option<BindingFailure> {
        match request.try_into() {
            Ok(request) => outcome(self.engine.open_push(flow, request)),
            Err(failure) => Some(failure),
        }
    }

    /// Hands over samples or bytes of a file; returns how many bytes were taken.
    #[napi]
    pub fn push_bytes(&self, flow: u32, bytes: Uint8Array) -> u32 {
        self.engine.push_bytes(flow, &bytes) as u32
    }

    /// Marks the end of what is pushed.
    #[napi]
    pub fn end_push(&self, flow: u32) {
        self.engine.end_push(flow);
    }

    /// Changes the encoder of the track that plays.
    #[napi]
    pub fn set_encoder(&self, flow: u32, encoder: BindingEncoder) -> Option<BindingFailure> {
        match encoder.settings() {
            Ok(settings) => {
                self.engine.set_encoder(flow, &settings);
                None
            }
            Err(failure) => Some(failure),
        }
    }
}
