//! Listening: what other members of a call send.
//!
//! ```text
//!  cadenza-net: Listener ── packets, bounded ──▶ cadenza-hear:   Hearing ── batches ──▶ take_audio
//!   opens, filters       └─ packets, bounded ──▶ cadenza-record: Hearing ── files
//! ```
//!
//! The receive thread opens packets of users whom somebody wants to hear and hands them on; it never
//! decodes and never waits. Two workers put them in order: one for what goes to callers, one for
//! recordings, so that a slow disk makes nobody else wait. Each drops and counts what it cannot take.

mod api;
mod batch;
mod ears;
mod event;
mod heard_flow;
mod hearing;
mod held;
mod host;
mod listener;
mod media_opener;
mod mix;
mod record_file;
mod recording;
mod request;
mod speaking;
mod stats;
mod stream;
#[cfg(test)]
mod tests;
mod worker;

pub use cadenza_audio::opus::PcmFormat;

pub(crate) use ears::Ears;
pub use event::ReceiveEvent;
pub(crate) use host::ReceiveHost;
pub(crate) use listener::ListenCommand;
pub use media_opener::{MediaOpener, OpenFailure, PassThrough};
pub use recording::RecordedFile;
pub use request::{
    OutputFormat, OutputRequest, ReceiveRequest, RecordContainer, RecordRequest, Users,
};
pub(crate) use speaking::SpeakingChange;
pub use stats::{ReceiveStats, RemoteReport, UserReceiveStats};
