//! The 20 ms grid of one flow: when its next frame is due, and what to do when the thread was late.

use crate::FRAME_NANOS;

/// Later than this many periods, frames are skipped instead of sent.
const LATE_PERIODS: u64 = 2;

/// What to do with a flow now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// Nothing before this time.
    NotYet {
        /// When the next frame is due, in nanoseconds.
        at_ns: u64,
    },
    /// Send one frame and poll again: more may be due.
    Send {
        /// The frame's place on the grid, in nanoseconds.
        due_ns: u64,
        /// How long after its place it leaves.
        late_ns: u64,
    },
    /// The flow was out for longer than two periods. These frames are not sent; poll again.
    Skipped {
        /// How many periods were given up.
        frames: u64,
    },
}

/// Deadlines `start + n · 20 ms`. Late by up to two periods: send at once and keep the grid, so that at
/// most three frames leave back to back. Later than that: skip to the present, on the same grid.
#[derive(Clone, Copy, Debug)]
pub struct SendSchedule {
    next_ns: u64,
}

impl SendSchedule {
    /// The first frame is due at `first_due_ns`; it fixes the grid.
    #[must_use]
    pub fn new(first_due_ns: u64) -> Self {
        Self {
            next_ns: first_due_ns,
        }
    }

    /// What to do at `now_ns`. Each [`Due::Send`] takes one place of the grid.
    pub fn poll(&mut self, now_ns: u64) -> Due {
        let Some(late_ns) = now_ns.checked_sub(self.next_ns) else {
            return Due::NotYet {
                at_ns: self.next_ns,
            };
        };
        let periods = late_ns / FRAME_NANOS;
        if periods > LATE_PERIODS {
            self.next_ns += periods * FRAME_NANOS;
            return Due::Skipped { frames: periods };
        }
        let due_ns = self.next_ns;
        self.next_ns += FRAME_NANOS;
        Due::Send { due_ns, late_ns }
    }

    /// When the next frame is due, in nanoseconds.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        self.next_ns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sends_on_time() {
        let mut schedule = SendSchedule::new(100);
        assert_eq!(schedule.poll(99), Due::NotYet { at_ns: 100 });
        let sent = Due::Send {
            due_ns: 100,
            late_ns: 3,
        };
        assert_eq!(schedule.poll(103), sent);
        assert_eq!(
            schedule.poll(103),
            Due::NotYet {
                at_ns: 100 + FRAME_NANOS
            }
        );
    }

    #[test]
    fn two_periods_late_catches_up_with_three_frames() {
        let mut schedule = SendSchedule::new(0);
        assert_eq!(burst(&mut schedule, 2 * FRAME_NANOS + 5), (3, 0));
    }

    #[test]
    fn later_skips_to_the_present() {
        let mut schedule = SendSchedule::new(0);
        assert_eq!(burst(&mut schedule, 500 * FRAME_NANOS + 5), (1, 500));
        assert_eq!(schedule.next_due(), 501 * FRAME_NANOS);
    }

    /// Polls until nothing is due: frames sent and frames skipped.
    fn burst(schedule: &mut SendSchedule, now_ns: u64) -> (u64, u64) {
        let mut counts = (0, 0);
        loop {
            match schedule.poll(now_ns) {
                Due::NotYet { .. } => return counts,
                Due::Send { .. } => counts.0 += 1,
                Due::Skipped { frames } => counts.1 += frames,
            }
        }
    }

    proptest! {
        #[test]
        fn keeps_the_grid_and_never_bursts(
            start in 0u64..1_000_000_000,
            waits in proptest::collection::vec(0u64..300_000_000, 1..200),
        ) {
            let mut schedule = SendSchedule::new(start);
            let (mut now, mut places) = (start, 0u64);
            for wait in waits {
                now += wait;
                let (sent, skipped) = burst(&mut schedule, now);
                prop_assert!(sent <= 3);
                places += sent + skipped;
                prop_assert_eq!(schedule.next_due(), start + places * FRAME_NANOS);
                prop_assert!(schedule.next_due() > now);
            }
        }
    }
}
