//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Monotonic nanoseconds under a test's control. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows `now_ns`.
    pub fn new(now_ns: u64) -> ManualClock {
        ManualClock(Arc::new(AtomicU64::new(now_ns)))
    }

    /// What it shows.
    pub fn now_ns(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Moves it on.
    pub fn advance_ns(&self, by_ns: u64) {
        self.0.fetch_add(by_ns, Ordering::SeqCst);
    }

    /// Moves it to `to_ns` unless it is there or later already, as a sleep would.
    pub fn advance_to(&self, to_ns: u64) {
        self.0.fetch_max(to_ns, Ordering::SeqCst);
    }
}
