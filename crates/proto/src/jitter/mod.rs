//! What one speaker's packets become on their way to a listener: an unbroken line of sound.
//!
//! A [`JitterBuffer`] takes packets as they arrive (late, twice, out of order or not at all) and
//! yields [`Playout`]s that follow each other without a hole: each begins where the one before it
//! ended. What was lost is to be concealed, what was never sent is silence, and both have their
//! length, so that a recording keeps time.
//!
//! Packets that come in order leave at once; only a missing one makes those behind it wait, and
//! for how long follows the jitter seen on the way ([`DelayEstimate`]).
//!
//! Time comes in with each packet. Senders may let their timestamps stand still over a pause, jump
//! to others, or start again under the same SSRC: then the time of arrival decides.

mod buffer;
mod delay;
mod order;
mod timeline;

pub use buffer::{JitterBuffer, JitterStats};
pub use delay::DelayEstimate;
pub use order::Placing;

use crate::rtp::{Sequence, Timestamp};

/// Samples per second of the RTP clock.
pub const CLOCK_RATE: u64 = 48_000;
/// The longest Opus packet, in samples: 120 ms (RFC 6716, section 3.2.5).
pub const MAX_PACKET_SAMPLES: u32 = 5_760;
/// Of one loss, this much is concealed; extrapolating further only hums. 120 ms.
pub const MAX_CONCEALED: u64 = 5_760;

/// Limits of a [`JitterBuffer`]. Times in nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JitterConfig {
    /// The shortest wait for a missing packet, and how long the very first packet waits for an
    /// earlier one. Default 40 ms.
    pub min_wait_ns: u64,
    /// The longest wait for a missing packet. Default 400 ms.
    pub max_wait_ns: u64,
    /// Packets that may wait behind a missing one, 1 to 1,024; at that number it is given up.
    /// Default 128.
    pub capacity: usize,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self {
            min_wait_ns: 40_000_000,
            max_wait_ns: 400_000_000,
            capacity: 128,
        }
    }
}

/// One packet as it came from the network.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<T> {
    /// When it came.
    pub at_ns: u64,
    /// RTP sequence number.
    pub sequence: Sequence,
    /// RTP timestamp.
    pub timestamp: Timestamp,
    /// Its length in samples at 48 kHz; clamped to 1 ..= [`MAX_PACKET_SAMPLES`].
    pub samples: u32,
    /// Whether it says that its sender has stopped speaking ([`SILENCE_FRAME`](crate::SILENCE_FRAME)).
    pub silence: bool,
    /// Whatever goes with it.
    pub payload: T,
}

/// The next piece of the line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Playout<T> {
    /// A packet in its place.
    Packet(Placed<T>),
    /// Lost: to be extrapolated from what came before.
    Conceal(Stretch),
    /// Lost, but the packet that follows next may hold a coarse copy (in-band FEC); without one,
    /// as [`Playout::Conceal`].
    Recover(Stretch),
    /// Nothing was sent.
    Silence(Stretch),
}

impl<T> Playout<T> {
    /// Where it lies on the line.
    pub fn stretch(&self) -> Stretch {
        match self {
            Playout::Packet(placed) => placed.stretch,
            Playout::Conceal(stretch) | Playout::Recover(stretch) | Playout::Silence(stretch) => {
                *stretch
            }
        }
    }
}

/// A stretch of the line, in samples at 48 kHz from the stream's first packet on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stretch {
    /// Where it begins.
    pub position: u64,
    /// How long it is; never 0.
    pub samples: u64,
}

/// A packet and its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Placed<T> {
    /// Its place; as long as the packet.
    pub stretch: Stretch,
    /// When it came.
    pub at_ns: u64,
    /// RTP sequence number as sent.
    pub sequence: Sequence,
    /// RTP timestamp as sent.
    pub timestamp: Timestamp,
    /// Whether it is a silence frame.
    pub silence: bool,
    /// What came with it.
    pub payload: T,
}

/// Samples of the RTP clock in so many nanoseconds, rounded down.
pub fn samples_in(nanos: u64) -> u64 {
    (u128::from(nanos) * u128::from(CLOCK_RATE) / 1_000_000_000) as u64
}

/// Nanoseconds of so many samples of the RTP clock, rounded down.
pub fn nanos_of(samples: u64) -> u64 {
    (u128::from(samples) * 1_000_000_000 / u128::from(CLOCK_RATE)) as u64
}
