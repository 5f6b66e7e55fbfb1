//! Time as the pacer sees it: monotonic nanoseconds, and sleeping until one of them.

use crate::system;

/// What a pacer takes time from. Tests give a clock that they move by hand.
pub trait Clock {
    /// Nanoseconds since a fixed moment; never goes back.
    fn now_ns(&self) -> u64;
    /// Waits until [`now_ns`](Clock::now_ns) has reached `deadline_ns`; may return a little early.
    fn sleep_until(&self, deadline_ns: u64);
}

/// The system's monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl MonotonicClock {
    /// Asks the system to wake the calling thread as exactly as it can.
    pub fn sharpen_this_thread() {
        system::sharpen_this_thread();
    }
}

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        system::now_ns()
    }

    fn sleep_until(&self, deadline_ns: u64) {
        system::sleep_until(deadline_ns);
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
