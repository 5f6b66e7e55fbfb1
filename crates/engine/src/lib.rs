//! Everything that does: pacers, sockets, feeds, statistics.
//!
//! ```text
//!  callers ──▶ Engine ──▶ Control (one mutex, never taken by a pacer)
//!                │           │ commands: one lock-free ring per pacer
//!                │           ▼
//!                │        Pacer ── packets ──▶ sockets ──▶ cadenza-net ──▶ Control ──▶ events
//!                ▼           │                                  ▲
//!             FeedHost ── frames (one ring per flow)            │
//!                            └── notices, garbage ──────────────┘
//! ```
//!
//! A pacer thread never allocates, frees, locks, logs, reads a source, decodes or waits for anything
//! but time. Linux only: it sleeps with `clock_nanosleep` and polls with `epoll`.

#![deny(unsafe_code)]
// Set by scripts/sanitize.sh: the compiler then checks that a tick makes no call that can wait.
#![cfg_attr(cadenza_rtsan, feature(sanitize))]

mod addresses;
pub mod clock;
mod config;
mod control;
pub mod dave;
mod engine;
mod error;
mod event;
pub mod feed;
pub mod flow;
pub mod frame_queue;
pub mod pacer;
mod prefetch;
pub mod receive;
mod stats;
mod system;
mod threads;
pub mod transport;

pub use cadenza_audio::filters;
pub use cadenza_audio::{EncoderSettings, PcmFormat, SampleType, Signal, TrackInfo};
pub use cadenza_proto::transport::TransportMode;

pub use addresses::TransportAddresses;
pub use config::{EngineConfig, PlayRequest, PushContent, PushRequest};
pub use engine::Engine;
pub use error::EngineError;
pub use event::{EndReason, EngineEvent, Wake};
pub use feed::{SourceSpec, StreamMetadata};
pub use stats::{
    EncodingStats, EngineStats, FlowStats, LATENESS_BOUNDS_US, LatenessSummary, PacerStats,
};

/// Names a flow for as long as the engine lives.
pub type FlowId = u32;
