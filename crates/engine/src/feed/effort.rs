//! Measures how busy the decode workers are and keeps the encoders' effort within it.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::governor::{FULL, Governor, Stretch};
use crate::stats::EncodingStats;

/// Length of one stretch that the governor judges.
const STRETCH: Duration = Duration::from_millis(250);

thread_local! {
    /// How long this worker's present step has waited for bytes.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Runs `wait`, which counts as no work of the present step.
pub(super) fn not_working<T>(wait: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = wait();
    WAITED.set(WAITED.get() + began.elapsed());
    result
}

/// Busy time of all workers, and what follows from it.
pub(super) struct Effort {
    origin: Instant,
    workers: u64,
    busy_ns: AtomicU64,
    ran_short: AtomicBool,
    cap: AtomicU8,
    busy_permille: AtomicU32,
    lowered: AtomicU64,
    encoded: AtomicU64,
    judge: Mutex<Judge>,
}

struct Judge {
    governor: Governor,
    stretch_began: Instant,
}

impl Effort {
    pub(super) fn new(workers: usize) -> Effort {
        let now = Instant::now();
        Effort {
            origin: now,
            workers: workers.max(1) as u64,
            busy_ns: AtomicU64::new(0),
            ran_short: AtomicBool::new(false),
            cap: AtomicU8::new(FULL),
            busy_permille: AtomicU32::new(0),
            lowered: AtomicU64::new(0),
            encoded: AtomicU64::new(0),
            judge: Mutex::new(Judge {
                governor: Governor::default(),
                stretch_began: now,
            }),
        }
    }

    /// Does one step of a worker and counts the time it takes, which is returned too.
    pub(super) fn measured<T>(&self, step: impl FnOnce() -> T) -> (T, Duration) {
        let began = Instant::now();
        let result = step();
        let now = Instant::now();
        let whole = now - began;
        self.worked(whole.saturating_sub(WAITED.take()), now);
        (result, whole)
    }

    /// Counts time a worker has spent on a feed, and judges when a stretch is over.
    fn worked(&self, time: Duration, now: Instant) {
        self.busy_ns
            .fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
        // Whoever holds the lock is judging; the others have no need to.
        let Ok(mut judge) = self.judge.try_lock() else {
            return;
        };
        let length = now.saturating_duration_since(judge.stretch_began);
        if length < STRETCH {
            return;
        }
        let capacity_ns = length.as_nanos() as u64 * self.workers;
        let busy_ns = self.busy_ns.swap(0, Ordering::Relaxed);
        let busy_permille = (busy_ns.saturating_mul(1_000) / capacity_ns).min(1_000) as u32;
        judge.stretch_began = now;
        let cap = judge.governor.observe(Stretch {
            now_ns: now.saturating_duration_since(self.origin).as_nanos() as u64,
            busy_permille,
            ran_short: self.ran_short.swap(false, Ordering::Relaxed),
        });
        self.busy_permille.store(busy_permille, Ordering::Relaxed);
        let former = self.cap.swap(cap, Ordering::Relaxed);
        self.lowered
            .fetch_add(u64::from(cap < former), Ordering::Relaxed);
    }

    /// An encoded track's queue was nearly played out when a worker came to it.
    pub(super) fn note_short(&self) {
        self.ran_short.store(true, Ordering::Relaxed);
    }

    /// A frame was encoded.
    pub(super) fn note_encoded(&self) {
        self.encoded.fetch_add(1, Ordering::Relaxed);
    }

    /// The complexity allowed at present.
    pub(super) fn cap(&self) -> u8 {
        self.cap.load(Ordering::Relaxed)
    }

    pub(super) fn stats(&self) -> EncodingStats {
        EncodingStats {
            complexity_cap: self.cap(),
            busy_permille: self.busy_permille.load(Ordering::Relaxed),
            lowered: self.lowered.load(Ordering::Relaxed),
            encoded: self.encoded.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_workers_lower_the_cap_and_idle_ones_raise_it() {
        let effort = Effort::new(2);
        let began = effort.origin;
        for n in 1..=5 {
            effort.worked(Duration::from_millis(500), began + STRETCH * n);
        }
        let stats = effort.stats();
        assert_eq!(
            (stats.complexity_cap, stats.busy_permille, stats.lowered),
            (0, 1_000, 5)
        );
        for n in 6..120 {
            effort.worked(Duration::from_millis(50), began + STRETCH * n);
        }
        assert_eq!(effort.stats().complexity_cap, FULL);
        assert_eq!(effort.stats().busy_permille, 100);
    }

    #[test]
    fn a_short_queue_counts_once() {
        let effort = Effort::new(1);
        effort.note_short();
        effort.worked(Duration::ZERO, effort.origin + STRETCH);
        assert_eq!(effort.cap(), FULL / 2);
        effort.worked(Duration::ZERO, effort.origin + STRETCH * 2);
        assert_eq!(effort.cap(), FULL / 2);
    }
}
