//! How late each packet of a flow is against the flow's own best 20 ms grid.
//!
//! A packet's frame number comes from its RTP timestamp, so a sender that leaves frames out and says so
//! is not called late for ever. The grid may begin anywhere: it is laid so that one packet in a hundred
//! comes before its time, which a few early ones cannot spoil. What comes before its time is not late.

/// Nanoseconds in a frame.
pub const PERIOD_NS: i64 = 20_000_000;
/// RTP ticks in a frame.
const FRAME_TICKS: i64 = 960;
/// The share of packets, one in so many, that may come before the grid.
const EARLY_ONE_IN: usize = 100;

/// One packet's arrival.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// When the kernel took it in, nanoseconds.
    pub at_ns: u64,
    /// Its RTP timestamp.
    pub timestamp: u32,
}

/// The lateness of every packet in nanoseconds, in the order of arrival.
pub fn lateness(arrivals: &[Arrival]) -> Vec<u64> {
    let Some(first) = arrivals.first() else {
        return Vec::new();
    };
    let offsets: Vec<i64> = arrivals
        .iter()
        .map(|arrival| {
            // Timestamps wrap; packets of one run lie within half the circle of its first.
            let ticks = i64::from(arrival.timestamp.wrapping_sub(first.timestamp) as i32);
            let due_ns = ticks * PERIOD_NS / FRAME_TICKS;
            arrival.at_ns as i64 - first.at_ns as i64 - due_ns
        })
        .collect();
    let mut sorted = offsets.clone();
    let (_, &mut grid, _) = sorted.select_nth_unstable(offsets.len() / EARLY_ONE_IN);
    offsets
        .iter()
        .map(|offset| u64::try_from(offset - grid).unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Packets of a perfect sender, each moved by what `delay_ns` says.
    fn arrivals(count: u64, delay_ns: impl Fn(u64) -> u64) -> Vec<Arrival> {
        let of = |n: u64| Arrival {
            at_ns: 5_000_000_000 + n * 20 * MS + delay_ns(n),
            timestamp: (u32::MAX - 4_000).wrapping_add(n as u32 * 960),
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn a_perfect_sender_is_never_late_wherever_its_grid_lies_and_over_a_wrap() {
        assert_eq!(lateness(&arrivals(500, |_| 0)), [0; 500]);
        assert_eq!(lateness(&arrivals(500, |_| 13 * MS)), [0; 500]);
        assert_eq!(lateness(&[]), []);
        assert_eq!(lateness(&arrivals(1, |_| 0)), [0]);
    }

    #[test]
    fn only_the_late_packet_is_late() {
        let late = lateness(&arrivals(300, |n| if n == 7 { 35 * MS } else { 0 }));
        assert_eq!(late[7], 35 * MS);
        assert_eq!(late.iter().filter(|ns| **ns > 0).count(), 1);
    }

    #[test]
    fn a_few_early_packets_do_not_make_all_others_late() {
        // Three of 500 packets leave 15 ms before their time; so does the very first.
        let early = [0, 100, 200];
        let late = lateness(&arrivals(
            500,
            |n| if early.contains(&n) { 0 } else { 15 * MS },
        ));
        assert!(late.iter().all(|ns| *ns == 0));
    }

    #[test]
    fn a_sender_that_falls_behind_for_good_stays_late() {
        let late = lateness(&arrivals(1_000, |n| if n < 500 { 0 } else { 30 * MS }));
        assert_eq!(late.iter().filter(|ns| **ns == 30 * MS).count(), 500);
    }

    #[test]
    fn a_sender_that_skips_frames_and_says_so_is_on_time() {
        let mut all = arrivals(1_000, |_| 0);
        all.drain(400..403);
        assert!(lateness(&all).iter().all(|ns| *ns == 0));
    }

    #[test]
    fn swapped_packets_are_held_against_their_own_frames() {
        let mut all = arrivals(300, |_| 0);
        let (a, b) = (all[10], all[11]);
        all[10].timestamp = b.timestamp;
        all[11].timestamp = a.timestamp;
        let late = lateness(&all);
        assert_eq!((late[10], late[11]), (0, 20 * MS));
    }
}
