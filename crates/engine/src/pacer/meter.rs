//! Counters of one pacer, and its load measured over windows of a second.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::lateness::Lateness;
use crate::flow::Counter;
use crate::stats::PacerStats;

const WINDOW_NS: u64 = 1_000_000_000;

/// What one pacer counts. Written by its thread alone, read by any.
#[derive(Default)]
pub struct PacerCounters {
    pub(crate) sent: Counter,
    pub(crate) skipped: Counter,
    pub(crate) wakeups: Counter,
    pub(crate) lateness: Lateness,
    load_permille: AtomicU32,
    realtime: AtomicBool,
}

impl PacerCounters {
    /// The counters as values; `flows` is what control knows.
    pub fn snapshot(&self, flows: u64) -> PacerStats {
        PacerStats {
            flows,
            load_permille: self.load_permille.load(Ordering::Relaxed),
            sent: self.sent.value(),
            skipped: self.skipped.value(),
            wakeups: self.wakeups.value(),
            lateness: self.lateness.summary(),
            realtime: self.realtime.load(Ordering::Relaxed),
        }
    }

    /// The load of the last window; of use only while the thread wakes up.
    pub(crate) fn load_permille(&self) -> u32 {
        self.load_permille.load(Ordering::Relaxed)
    }

    pub(super) fn set_realtime(&self, realtime: bool) {
        self.realtime.store(realtime, Ordering::Relaxed);
    }
}

/// How much of the present window was spent working.
pub(super) struct Meter {
    window_began_ns: u64,
    busy_ns: u64,
}

impl Meter {
    pub(super) fn new(now_ns: u64) -> Meter {
        Meter {
            window_began_ns: now_ns,
            busy_ns: 0,
        }
    }

    /// Counts one tick, and closes the window when it is full; then its load is returned.
    pub(super) fn tick(
        &mut self,
        began_ns: u64,
        ended_ns: u64,
        counters: &PacerCounters,
    ) -> Option<u32> {
        counters.wakeups.add(1);
        self.busy_ns += ended_ns - began_ns;
        let window_ns = ended_ns - self.window_began_ns;
        if window_ns < WINDOW_NS {
            return None;
        }
        let load = (self.busy_ns * 1_000 / window_ns).min(1_000);
        counters.load_permille.store(load as u32, Ordering::Relaxed);
        *self = Meter::new(ended_ns);
        Some(load as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_the_share_of_a_window_spent_in_ticks() {
        let counters = PacerCounters::default();
        let mut meter = Meter::new(0);
        for n in 0..100 {
            let began = n * 20_000_000;
            meter.tick(began, began + 5_000_000, &counters);
        }
        let stats = counters.snapshot(3);
        assert_eq!((stats.flows, stats.wakeups), (3, 100));
        assert!((240..=260).contains(&stats.load_permille), "{stats:?}");
    }
}
