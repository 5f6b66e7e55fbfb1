//! Time as the pacer sees it: monotonic nanoseconds, and sleeping until one of them.

use std::num::NonZeroU64;

use rustix::thread::{ClockId, clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{Timespec, clock_gettime};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What a pacer takes time from. Tests give a clock that they move by hand.
pub trait Clock {
    /// Nanoseconds since a fixed moment; never goes back.
    fn now_ns(&self) -> u64;
    /// Waits until [`now_ns`](Clock::now_ns) has reached `deadline_ns`; may return a little early.
    fn sleep_until(&self, deadline_ns: u64);
}

/// `CLOCK_MONOTONIC`, with absolute sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl MonotonicClock {
    /// Asks the system to wake the calling thread without the usual 50 µs of slack.
    pub fn sharpen_this_thread() {
        // A kernel that refuses wakes us a little later; nothing else depends on it.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
    }
}

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec as u64 * NANOS_PER_SECOND + now.tv_nsec as u64
    }

    fn sleep_until(&self, deadline_ns: u64) {
        let deadline = Timespec {
            tv_sec: (deadline_ns / NANOS_PER_SECOND) as i64,
            tv_nsec: (deadline_ns % NANOS_PER_SECOND) as i64,
        };
        // An interrupted sleep returns early, and the pacer looks at the clock again anyway.
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_at_or_after_its_deadline() {
        let clock = MonotonicClock;
        let deadline = clock.now_ns() + 2_000_000;
        while clock.now_ns() < deadline {
            clock.sleep_until(deadline);
        }
        assert!(clock.now_ns() >= deadline);
        clock.sleep_until(0);
    }
}
