//! Sequence and timestamp of one session: packets are counted, time follows the clock.

use crate::FRAME_NANOS;
use crate::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};

/// Stamps packets. The sequence grows by one a packet; the timestamp by 960 for every 20 ms of the
/// clock, whether packets were sent in them or not (RFC 3550), so receivers see pauses as pauses.
#[derive(Clone, Copy, Debug)]
pub struct RtpClock {
    ssrc: Ssrc,
    sequence: Sequence,
    origin: Timestamp,
    origin_ns: u64,
}

impl RtpClock {
    /// Starts a session. Sequence and timestamp begin anywhere, by RFC 3550 at random; `origin_ns` is
    /// the time the first timestamp stands for.
    #[must_use]
    pub fn new(ssrc: Ssrc, sequence: Sequence, timestamp: Timestamp, origin_ns: u64) -> Self {
        Self {
            ssrc,
            sequence,
            origin: timestamp,
            origin_ns,
        }
    }

    /// The header of a packet whose place on the grid is `due_ns`.
    pub fn stamp(&mut self, due_ns: u64) -> RtpHeader {
        // Rounded to whole periods: a flow whose grid moved by less than one keeps to multiples of 960.
        let periods = (due_ns.saturating_sub(self.origin_ns) + FRAME_NANOS / 2) / FRAME_NANOS;
        let header = RtpHeader {
            sequence: self.sequence,
            timestamp: self.origin.advance_frames(periods),
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.next();
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FRAME_SAMPLES;

    #[test]
    fn follows_the_clock_over_a_pause() {
        let mut clock = RtpClock::new(Ssrc(1), Sequence(u16::MAX), Timestamp(u32::MAX), 1000);
        let first = clock.stamp(1000);
        let second = clock.stamp(1000 + FRAME_NANOS);
        let after_pause = clock.stamp(1000 + 101 * FRAME_NANOS);
        assert_eq!(
            (first.sequence, first.timestamp),
            (Sequence(u16::MAX), Timestamp(u32::MAX))
        );
        assert_eq!(
            (second.sequence, second.timestamp),
            (Sequence(0), Timestamp(FRAME_SAMPLES - 1))
        );
        assert_eq!(after_pause.sequence, Sequence(1));
        assert_eq!(after_pause.timestamp, Timestamp(101 * FRAME_SAMPLES - 1));
    }
}
