//! How much later than the fastest one packets come, and so how long a missing one is waited for.

use super::{JitterConfig, nanos_of};
use crate::rtp::Timestamp;

/// How long the slowest packet of a period is remembered: between one and two of these.
const WINDOW_NS: u64 = 4_000_000_000;
/// Added to the slowest packet seen.
const MARGIN_NS: i64 = 10_000_000;
/// A change of travel time beyond this is the sender's clock, not the network's doing.
const REBASE_NS: i64 = 2_000_000_000;

/// Extremes of one window of time.
#[derive(Clone, Copy, Debug)]
struct Extremes {
    fastest_ns: i64,
    slowest_ns: i64,
}

impl Extremes {
    fn of(transit_ns: i64) -> Self {
        Self {
            fastest_ns: transit_ns,
            slowest_ns: transit_ns,
        }
    }

    fn include(&mut self, other: Self) {
        self.fastest_ns = self.fastest_ns.min(other.fastest_ns);
        self.slowest_ns = self.slowest_ns.max(other.slowest_ns);
    }
}

/// Follows a stream's travel times. They are only known against each other, which is enough.
#[derive(Clone, Copy, Debug)]
pub struct DelayEstimate {
    config: JitterConfig,
    last: Option<(u64, Timestamp)>,
    /// Travel time of the last packet, against that of the first.
    transit_ns: i64,
    window_end_ns: u64,
    current: Extremes,
    former: Extremes,
    /// RFC 3550's mean deviation, times 16.
    jitter_x16_ns: u64,
}

impl DelayEstimate {
    /// Knows nothing yet and waits as briefly as it may.
    pub fn new(config: JitterConfig) -> Self {
        Self {
            config,
            last: None,
            transit_ns: 0,
            window_end_ns: 0,
            current: Extremes::of(0),
            former: Extremes::of(0),
            jitter_x16_ns: 0,
        }
    }

    /// Takes in a packet, in order of arrival.
    pub fn note(&mut self, at_ns: u64, timestamp: Timestamp) {
        let Some((last_ns, last_timestamp)) = self.last.replace((at_ns, timestamp)) else {
            self.window_end_ns = at_ns.saturating_add(WINDOW_NS);
            return;
        };
        let elapsed_ns = at_ns as i64 - last_ns as i64;
        let sent = timestamp.0.wrapping_sub(last_timestamp.0) as i32;
        let sent_ns = nanos_of(u64::from(sent.unsigned_abs())) as i64 * i64::from(sent.signum());
        let change_ns = elapsed_ns.saturating_sub(sent_ns);
        if change_ns.abs() > REBASE_NS {
            return;
        }
        self.transit_ns = self.transit_ns.saturating_add(change_ns);
        let (deviation, jitter) = (change_ns.unsigned_abs(), self.jitter_x16_ns);
        self.jitter_x16_ns = jitter + deviation - jitter / 16;
        self.roll(at_ns);
        self.current.include(Extremes::of(self.transit_ns));
    }

    /// How long to wait for a packet after one behind it has come.
    pub fn wait_ns(&self) -> u64 {
        let mut all = self.current;
        all.include(self.former);
        let spread_ns = all.slowest_ns.saturating_sub(all.fastest_ns) + MARGIN_NS;
        (spread_ns.max(0) as u64).clamp(self.config.min_wait_ns, self.config.max_wait_ns)
    }

    /// RFC 3550's interarrival jitter.
    pub fn jitter_ns(&self) -> u64 {
        self.jitter_x16_ns / 16
    }

    /// A pause with a timestamp that stood still looks like a slow packet; travel times begin anew.
    pub fn forget_transit(&mut self) {
        self.former = Extremes::of(self.transit_ns);
        self.current = self.former;
    }

    fn roll(&mut self, at_ns: u64) {
        if at_ns >= self.window_end_ns {
            self.former = self.current;
            self.current = Extremes::of(self.transit_ns);
            self.window_end_ns = at_ns.saturating_add(WINDOW_NS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_steady_stream_is_waited_for_as_briefly_as_allowed() {
        let mut delay = DelayEstimate::new(JitterConfig::default());
        (0..500).for_each(|n| delay.note(n * 20 * MS, Timestamp(n as u32 * 960)));
        assert_eq!((delay.wait_ns(), delay.jitter_ns()), (40 * MS, 0));
    }

    #[test]
    fn the_wait_follows_the_slowest_packet_up_and_later_down() {
        let mut delay = DelayEstimate::new(JitterConfig::default());
        for n in 0..100_u64 {
            let extra = if n % 10 == 9 { 70 * MS } else { 0 };
            delay.note(n * 20 * MS + extra, Timestamp(n as u32 * 960));
        }
        assert_eq!(delay.wait_ns(), 80 * MS);
        (100..1_000).for_each(|n| delay.note(n * 20 * MS, Timestamp(n as u32 * 960)));
        assert_eq!(delay.wait_ns(), 40 * MS);
    }

    #[test]
    fn jumps_of_the_senders_clock_are_no_travel_time() {
        let mut delay = DelayEstimate::new(JitterConfig::default());
        for n in 0..100_u64 {
            let jump = if n >= 50 { 1 << 30 } else { 0 };
            delay.note(n * 20 * MS, Timestamp(n as u32 * 960 + jump));
        }
        assert_eq!(delay.wait_ns(), 40 * MS);
    }
}
