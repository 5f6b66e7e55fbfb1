//! Why a call to the engine fails.

use std::io;

use cadenza_audio::filters::OutOfRange;

/// An engine call that could not be carried out. [`code`](EngineError::code) is stable; texts are not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The pacer has not yet applied what was asked before; try again after a period.
    #[error("the engine has too many unfinished commands; try again in a moment")]
    Busy,
    /// A filter setting lies outside its range; nothing was changed.
    #[error("{0}")]
    FilterOutOfRange(OutOfRange),
    /// The session description names an end-to-end encryption version that is not spoken.
    #[error("this version of end-to-end encryption is not supported")]
    DaveVersion,
    /// A recording that cannot be carried out as asked.
    #[error("the recording is not possible: {0}")]
    InvalidRecording(&'static str),
    /// Samples have 1 to 8 channels at 4,000 to 384,000 Hz.
    #[error("samples of this shape cannot be played: use 1 to 8 channels at 4,000 to 384,000 Hz")]
    InvalidFormat,
    /// A session needs a socket; open a transport first.
    #[error("the flow has no open transport")]
    NoTransport,
    /// The engine was shut down; start another.
    #[error("the engine has been shut down")]
    ShutDown,
    /// The system refused a socket; check limits on open files and the network.
    #[error("cannot open a UDP socket: {0}")]
    SocketFailed(#[source] io::Error),
    /// The system refused a thread, an event descriptor or randomness.
    #[error("cannot start the engine: {0}")]
    StartFailed(#[source] io::Error),
    /// Every place on every pacer is taken; see [`EngineConfig::max_flows`](crate::EngineConfig).
    #[error("the engine carries as many flows as it was configured for")]
    TooManyFlows,
    /// A flow has a limited number of recordings at a time; stop one first.
    #[error("the flow has as many recordings as it may have")]
    TooManyRecordings,
    /// A stream has no transport, and only a stream can be subscribed to.
    #[error("a stream has no transport, and only a stream can be subscribed to")]
    WrongKind,
    /// The flow was destroyed or never existed.
    #[error("there is no such flow")]
    UnknownFlow,
}

impl EngineError {
    /// The code as a stable snake_case string.
    pub fn code(&self) -> &'static str {
        match self {
            EngineError::Busy => "engine_busy",
            EngineError::FilterOutOfRange(_) => "filter_out_of_range",
            EngineError::DaveVersion => "dave_version_unsupported",
            EngineError::InvalidRecording(_) => "invalid_argument",
            EngineError::InvalidFormat => "invalid_format",
            EngineError::NoTransport => "no_transport",
            EngineError::ShutDown => "engine_closed",
            EngineError::SocketFailed(_) => "socket_failed",
            EngineError::StartFailed(_) => "engine_start_failed",
            EngineError::TooManyFlows => "too_many_flows",
            EngineError::TooManyRecordings => "too_many_recordings",
            EngineError::UnknownFlow => "unknown_flow",
            EngineError::WrongKind => "wrong_kind",
        }
    }
}
