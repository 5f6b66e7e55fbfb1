//! Samples: bytes of a media file in, 20 ms Opus frames out. Synchronous, CPU only.
//!
//! [`Track::open`] looks at the content (never at the name) and takes one of two ways: Opus inside
//! Ogg, WebM or Matroska passes through untouched; everything else is decoded, mixed to stereo,
//! resampled to 48 kHz and encoded with libopus.
//!
//! The crate opens no files and no sockets, starts no threads and reads no clock: bytes come through
//! [`ByteSource`], time is counted in samples. Whatever the bytes say, nothing here panics or
//! allocates without a limit; what goes wrong is an [`AudioError`] with a stable code.

#![deny(unsafe_code)]

mod aac;
mod decode;
mod demux;
mod detour;
mod error;
pub mod filters;
mod he_aac;
mod held;
mod input;
mod matroska;
pub mod mix;
mod mp4_edit;
pub mod mpeg_ts;
mod ogg;
mod options;
pub mod opus;
mod opus_pcm;
mod packets;
mod passthrough;
mod pcm_stream;
mod probe;
mod raw_pcm;
pub mod record;
mod renderer;
pub mod resample;
mod source;
mod track;
mod transcode;
mod ts_source;

pub use error::{AudioError, AudioErrorCode};
pub use options::{EncoderSettings, FrameInfo, OpenOptions, Signal, TrackInfo};
pub use raw_pcm::{PcmFormat, SampleType};
pub use source::{ByteSource, ProbeHint};
pub use track::Track;

/// Samples per channel in one 20 ms frame at 48 kHz.
pub const FRAME_SAMPLES: usize = 960;

/// The rate of everything that leaves this crate, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;

/// The longest Opus frame, in bytes (RFC 6716, section 3.4).
pub const MAX_OPUS_FRAME: usize = 1275;
