//! Where on the line of sound a packet belongs: by its timestamp where that makes sense, else by
//! the time of its arrival.

use super::{MAX_CONCEALED, nanos_of, samples_in};
use crate::rtp::Timestamp;

/// A pause whose timestamps stood still is believed when the clock says at least this much more. 100 ms.
const FROZEN_SAMPLES: i64 = 4_800;
/// A timestamp may run this far ahead of the clock before it counts as a jump. 1 s.
const AHEAD_SAMPLES: i64 = 48_000;
/// Without a silence frame before it, only a gap of this length is a pause: a network that stalls
/// for less delivers what it held back in a burst, and none of that time was silence. 5 s.
const LONG_PAUSE_NS: u64 = 5_000_000_000;
/// How long the fastest packet is remembered: between one and two of these.
const WINDOW_NS: u64 = 10_000_000_000;

/// What lies between the end of the line and the next packet, in samples.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Hole {
    pub(super) conceal: u64,
    pub(super) silence: u64,
    /// The part right before the packet that its FEC data may hold.
    pub(super) recover: u64,
    /// Whether the sender's timestamps did not follow the clock.
    pub(super) rebased: bool,
}

/// The packet to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) at_ns: u64,
    pub(super) timestamp: Timestamp,
    /// Sequence numbers missing right before it.
    pub(super) missing: u64,
    /// Whether the sender began anew with it.
    pub(super) restarted: bool,
    /// Whether it is a silence frame.
    pub(super) silence: bool,
}

/// The end of the line so far, and how it relates to the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    /// Where the next sample goes.
    end: u64,
    /// The timestamp that belongs there, if the sender just went on.
    end_timestamp: Timestamp,
    last_at_ns: u64,
    last_samples: u32,
    last_silence: bool,
    /// Arrival minus position of the fastest packet, in this window and the one before.
    origin_ns: i64,
    former_origin_ns: i64,
    window_end_ns: u64,
}

impl Timeline {
    /// A line that begins with a packet.
    pub(super) fn starting_with(at_ns: u64, timestamp: Timestamp) -> Self {
        Self {
            end: 0,
            end_timestamp: timestamp,
            last_at_ns: at_ns,
            last_samples: 0,
            last_silence: false,
            origin_ns: at_ns as i64,
            former_origin_ns: at_ns as i64,
            window_end_ns: at_ns.saturating_add(WINDOW_NS),
        }
    }

    /// Where the next sample goes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// When, by the fastest packets, position 0 was sent.
    pub(super) fn origin_ns(&self) -> u64 {
        self.origin_ns.min(self.former_origin_ns).max(0) as u64
    }

    /// What lies before a packet. `jitter_ns` is how late packets are on average.
    pub(super) fn hole_before(&self, next: Next, jitter_ns: u64) -> Hole {
        let by_clock = self.behind_the_clock(next.at_ns, jitter_ns);
        let by_timestamp = i64::from(next.timestamp.0.wrapping_sub(self.end_timestamp.0) as i32);
        let frame = u64::from(self.last_samples);
        let lost = next.missing.saturating_mul(frame);
        let paused = self.last_silence || self.idle_ns(next.at_ns) > LONG_PAUSE_NS;
        let jumped = by_timestamp < 0 || by_timestamp > by_clock.max(0) + AHEAD_SAMPLES;
        // Several silence frames follow each other; only sound ends a pause.
        let frozen = paused && !next.silence && by_clock > by_timestamp + FROZEN_SAMPLES;
        // A jump says nothing about time; the clock does, once it shows more than jitter.
        let total = match (next.restarted || jumped, frozen) {
            (true, _) if by_clock > FROZEN_SAMPLES => by_clock as u64,
            (true, _) => lost.min(MAX_CONCEALED),
            (false, true) => by_clock as u64,
            (false, false) => by_timestamp as u64,
        };
        let mut hole = split(total, lost, frame);
        hole.rebased = next.restarted || jumped || frozen;
        hole
    }

    /// Moves the end over a hole.
    pub(super) fn skip(&mut self, samples: u64) {
        self.end += samples;
        // Truncation is the wrap-around of RTP.
        self.end_timestamp = self.end_timestamp.advance(samples as u32);
    }

    /// Moves the end over a packet.
    pub(super) fn append(&mut self, at_ns: u64, timestamp: Timestamp, samples: u32, silence: bool) {
        let transit_ns = at_ns as i64 - nanos_of(self.end) as i64;
        if at_ns >= self.window_end_ns {
            self.former_origin_ns = self.origin_ns;
            self.origin_ns = transit_ns;
            self.window_end_ns = at_ns.saturating_add(WINDOW_NS);
        }
        self.origin_ns = self.origin_ns.min(transit_ns);
        self.end += u64::from(samples);
        self.end_timestamp = timestamp.advance(samples);
        self.last_at_ns = self.last_at_ns.max(at_ns);
        self.last_samples = samples;
        self.last_silence = silence;
    }

    /// How far the line lags behind the clock at an arrival, typical travel time allowed for.
    fn behind_the_clock(&self, at_ns: u64, jitter_ns: u64) -> i64 {
        let elapsed_ns = at_ns.saturating_sub(self.origin_ns().saturating_add(jitter_ns));
        samples_in(elapsed_ns) as i64 - self.end as i64
    }

    fn idle_ns(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.last_at_ns)
    }
}

/// Shares a hole out between what was lost and what was never sent.
fn split(total: u64, lost: u64, frame: u64) -> Hole {
    let lost = lost.min(total);
    // FEC data describes the packet right before; where a pause lies between, that packet is not lost.
    let recover = if lost > 0 && lost == total {
        frame.min(lost)
    } else {
        0
    };
    let conceal = (lost - recover).min(MAX_CONCEALED);
    Hole {
        conceal,
        silence: total - conceal - recover,
        recover,
        rebased: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A line of two frames, the last one received at 20 ms.
    fn line(silence: bool) -> Timeline {
        let mut line = Timeline::starting_with(0, Timestamp(1_000));
        line.append(0, Timestamp(1_000), 960, false);
        line.append(20 * MS, Timestamp(1_960), 960, silence);
        line
    }

    fn hole(line: &Timeline, at_ms: u64, timestamp: u32, missing: u64) -> Hole {
        let next = Next {
            at_ns: at_ms * MS,
            timestamp: Timestamp(timestamp),
            missing,
            restarted: false,
            silence: false,
        };
        line.hole_before(next, 0)
    }

    #[test]
    fn consecutive_packets_leave_no_hole() {
        assert_eq!(hole(&line(false), 40, 2_920, 0), Hole::default());
        assert_eq!(
            hole(&line(false), 500, 2_920, 0),
            Hole::default(),
            "a late packet"
        );
    }

    #[test]
    fn a_loss_is_concealed_and_its_last_frame_recovered() {
        let hole = hole(&line(false), 100, 2_920 + 3 * 960, 3);
        assert_eq!((hole.conceal, hole.silence, hole.recover), (1_920, 0, 960));
    }

    #[test]
    fn a_long_loss_is_not_hummed_over() {
        let hole = hole(&line(false), 1_040, 2_920 + 50 * 960, 50);
        assert_eq!(hole.conceal, MAX_CONCEALED);
        assert_eq!((hole.silence, hole.recover), (48_000 - 5_760 - 960, 960));
    }

    #[test]
    fn a_pause_is_silence_by_timestamp_or_else_by_the_clock() {
        let advanced = hole(&line(true), 2_040, 2_920 + 96_000, 0);
        assert_eq!((advanced.silence, advanced.rebased), (96_000, false));
        let frozen = hole(&line(true), 2_040, 2_920, 0);
        assert_eq!((frozen.silence, frozen.rebased), (96_000, true));
        let ending = Next {
            at_ns: 2_040 * MS,
            timestamp: Timestamp(2_920),
            missing: 0,
            restarted: false,
            silence: true,
        };
        let ending = line(true).hole_before(ending, 0);
        assert_eq!(ending, Hole::default(), "silence frames that came late");
        let stalled = hole(&line(false), 2_040, 2_920, 0);
        assert_eq!(stalled.silence, 0);
        let unannounced = hole(&line(false), 6_040, 2_920, 0);
        assert_eq!(unannounced.silence, 288_000);
    }

    #[test]
    fn timestamps_from_nowhere_give_way_to_the_clock() {
        for timestamp in [0x8000_0000, 0x7000_0000, 5] {
            let near = hole(&line(false), 40, timestamp, 0);
            assert_eq!((near.silence, near.rebased), (0, true), "{timestamp}");
            let far = hole(&line(true), 1_040, timestamp, 0);
            assert_eq!((far.silence, far.rebased), (48_000, true), "{timestamp}");
        }
    }
}
