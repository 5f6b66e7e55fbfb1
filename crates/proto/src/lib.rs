//! Discord's voice protocol as pure values: RTP, transport encryption, DAVE frames, discovery, send
//! schedule, jitter buffer.
//!
//! No sockets, threads or clocks: time is an argument, in nanoseconds of any monotonic clock. Bytes
//! from outside never panic and never allocate without a limit; what is wrong with them is a small `Copy` error.

#![forbid(unsafe_code)]

pub mod clock_line;
pub mod datagram;
pub mod dave;
pub mod discovery;
pub mod jitter;
pub mod keepalive;
pub mod rtcp;
pub mod rtp;
pub mod schedule;
pub mod silence;
pub mod transport;

/// Samples per channel in one 20 ms frame at 48 kHz.
pub const FRAME_SAMPLES: u32 = 960;
/// Length of one frame, in nanoseconds.
pub const FRAME_NANOS: u64 = 20_000_000;
/// Bytes of an RTP header without CSRCs and extension.
pub const RTP_HEADER_LEN: usize = 12;
/// The Opus frame that says nothing: CELT fullband, 20 ms, mono.
pub const SILENCE_FRAME: [u8; 3] = [0xF8, 0xFF, 0xFE];
/// The longest Opus frame, in bytes (RFC 6716, section 3.4).
pub const MAX_OPUS_FRAME: usize = 1275;
/// The longest datagram that is ever sent, in bytes.
pub const MAX_DATAGRAM: usize = 1460;
