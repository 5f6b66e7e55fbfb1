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

    /// Where a frame that is due at `due_ns` would be due on a grid that lies at `offset_ns` in every
    /// period of the clock. Its timestamp is the same there: the two are less than a period apart.
    #[must_use]
    pub fn moved(&self, due_ns: u64, offset_ns: u64) -> u64 {
        let half = FRAME_NANOS / 2;
        let periods = (due_ns.saturating_sub(self.origin_ns) + half) / FRAME_NANOS;
        let nominal_ns = self.origin_ns + periods * FRAME_NANOS;
        // Half a period before and after the nominal place all round to it.
        let home_ns = nominal_ns % FRAME_NANOS;
        let ahead = (offset_ns + 2 * FRAME_NANOS + half - home_ns) % FRAME_NANOS;
        (nominal_ns + ahead).saturating_sub(half)
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
    fn a_frame_keeps_its_timestamp_on_every_grid() {
        const MILLI: u64 = FRAME_NANOS / 20;
        let clock = RtpClock::new(Ssrc(1), Sequence(0), Timestamp(0), 1_007 * MILLI);
        for from in 0..20 {
            let due_ns = clock.moved((1_007 + 400) * MILLI, from * MILLI);
            for to in 0..20 {
                let moved_ns = clock.moved(due_ns, to * MILLI);
                assert_eq!(moved_ns / MILLI % 20, to);
                assert!(moved_ns.abs_diff(due_ns) < FRAME_NANOS, "{from} to {to}");
                for periods in 0..3 {
                    let later_ns = periods * FRAME_NANOS;
                    let stamp = |at_ns: u64| clock.clone().stamp(at_ns + later_ns).timestamp;
                    assert_eq!(stamp(moved_ns), stamp(due_ns), "{from} to {to}");
                }
            }
        }
    }

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
