//! What JavaScript passes in: engine options, transport targets, play requests.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use cadenza_engine::{EngineConfig, PlayRequest, SourceSpec, TransportMode};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use crate::failure::BindingFailure;
use crate::push::BindingEncoder;

/// Options of the engine; missing ones take the engine's defaults.
#[napi(object)]
pub struct BindingEngineOptions {
    /// Sending threads.
    pub pacers: Option<u32>,
    /// Sending threads at most.
    pub max_pacers: Option<u32>,
    /// Whether sending threads go before ordinary ones.
    pub realtime: Option<bool>,
    /// Threads that demux, decode and encode.
    pub decode_workers: Option<u32>,
    /// Whether HTTP sources may reach loopback and private addresses.
    pub allow_private_hosts: Option<bool>,
    /// After how many milliseconds without a frame a track counts as stalled.
    pub stall_ms: Option<u32>,
}

impl From<BindingEngineOptions> for EngineConfig {
    fn from(options: BindingEngineOptions) -> Self {
        let mut config = Self::default();
        if let Some(pacers) = options.pacers {
            config.pacers = pacers as usize;
        }
        if let Some(pacers) = options.max_pacers {
            config.max_pacers = pacers as usize;
        }
        if let Some(realtime) = options.realtime {
            config.realtime = realtime;
        }
        if let Some(workers) = options.decode_workers {
            config.decode_workers = workers as usize;
        }
        if let Some(allow) = options.allow_private_hosts {
            config.allow_private_hosts = allow;
        }
        if let Some(stall_ms) = options.stall_ms {
            config.stall_ms = stall_ms;
        }
        config
    }
}

/// Where a call's packets go.
#[napi(object)]
pub struct BindingTransportTarget {
    /// IPv4 literal.
    pub address: String,
    /// UDP port.
    pub port: u16,
    /// The SSRC that Ready assigned.
    pub ssrc: u32,
    /// Comes back in the transport's events.
    pub generation: u32,
}

impl BindingTransportTarget {
    pub(crate) fn remote(&self) -> Result<SocketAddrV4, BindingFailure> {
        let address = self.address.parse().map_err(|_| {
            BindingFailure::invalid_argument("the voice server's address is not an IPv4 literal")
        })?;
        Ok(SocketAddrV4::new(address, self.port))
    }
}

/// The outcome of a session description.
#[napi(object)]
pub struct BindingSession {
    /// Mode name as on the wire.
    pub mode: String,
    /// 32 bytes.
    pub key: Uint8Array,
}

impl BindingSession {
    pub(crate) fn parts(&self) -> Result<(TransportMode, [u8; 32]), BindingFailure> {
        let mode = self.mode.parse().map_err(|_| {
            BindingFailure::invalid_argument("the encryption mode is not one of the five known")
        })?;
        let key = self.key.as_ref().try_into().map_err(|_| {
            BindingFailure::invalid_argument("a transport key has exactly 32 bytes")
        })?;
        Ok((mode, key))
    }
}

/// One track to play.
#[napi(object)]
pub struct BindingPlayRequest {
    /// Comes back in the track's events.
    pub track: u32,
    /// A local file; exactly one of `path` and `url` is given.
    pub path: Option<String>,
    /// An http or https URL.
    pub url: Option<String>,
    /// Header fields for the requests of a URL.
    pub headers: Option<HashMap<String, String>>,
    /// Where to begin, in milliseconds of source time.
    pub start_ms: Option<f64>,
    /// Where to end, in milliseconds of source time.
    pub end_ms: Option<f64>,
    /// For tracks that are encoded.
    pub encoder: Option<BindingEncoder>,
}

impl TryFrom<BindingPlayRequest> for PlayRequest {
    type Error = BindingFailure;

    fn try_from(request: BindingPlayRequest) -> Result<Self, BindingFailure> {
        let source = match (request.path, request.url) {
            (Some(path), None) => SourceSpec::File(PathBuf::from(path)),
            (None, Some(url)) => SourceSpec::Http {
                url,
                headers: request.headers.into_iter().flatten().collect(),
            },
            _ => {
                return Err(BindingFailure::invalid_argument(
                    "a track comes from exactly one of a path and a url",
                ));
            }
        };
        let encoder = request.encoder.unwrap_or_default().settings()?;
        Ok(Self {
            track: request.track,
            source,
            start_ms: request.start_ms.map_or(0, millis),
            end_ms: request.end_ms.map(millis),
            encoder,
        })
    }
}

/// Whole milliseconds; what is negative or not a number counts as 0.
pub(crate) fn millis(value: f64) -> u64 {
    value as u64
}
