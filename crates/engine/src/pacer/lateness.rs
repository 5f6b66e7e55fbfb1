//! A histogram of lateness that one thread writes and any thread may read, with no lock.
//!
//! Buckets are logarithmic with 16 linear steps each, as in HDR histograms: a value is known to
//! 1/16 of itself. A snapshot taken while the writer goes on may lack its very last values.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::stats::{LATENESS_BOUNDS_US, LatenessSummary};

const STEPS_LOG2: u32 = 4;
const STEPS: u64 = 1 << STEPS_LOG2;
/// Values from here on (17 s in microseconds) share the last bucket.
const LARGEST_LOG2: u32 = 24;
const BUCKETS: usize = ((LARGEST_LOG2 - STEPS_LOG2 + 1) as usize) << STEPS_LOG2;

/// Lateness of a pacer's packets since it started.
pub struct Lateness {
    buckets: Box<[AtomicU64]>,
    max_us: AtomicU64,
    sum_us: AtomicU64,
}

impl Default for Lateness {
    fn default() -> Lateness {
        Lateness {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            max_us: AtomicU64::new(0),
            sum_us: AtomicU64::new(0),
        }
    }
}

impl Lateness {
    /// Counts one value. Only one thread may call this, which makes plain stores enough.
    pub(crate) fn record_ns(&self, lateness_ns: u64) {
        let us = lateness_ns / 1_000;
        let bucket = &self.buckets[bucket_of(us)];
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let sum_us = self.sum_us.load(Ordering::Relaxed);
        self.sum_us
            .store(sum_us.wrapping_add(us), Ordering::Relaxed);
        if us > self.max_us.load(Ordering::Relaxed) {
            self.max_us.store(us, Ordering::Relaxed);
        }
    }

    /// Percentiles of what was counted so far.
    pub fn summary(&self) -> LatenessSummary {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect();
        let count = counts.iter().sum();
        let max_us = self.max_us.load(Ordering::Relaxed);
        let percentile = |permille| percentile(&counts, count, permille).min(max_us);
        LatenessSummary {
            count,
            p50_us: percentile(500),
            p99_us: percentile(990),
            p999_us: percentile(999),
            max_us,
            sum_us: self.sum_us.load(Ordering::Relaxed),
            within: LATENESS_BOUNDS_US.map(|bound| counts[..=bucket_of(bound)].iter().sum()),
        }
    }
}

/// The upper end of the bucket in which the value at `permille` of all lies.
fn percentile(counts: &[u64], count: u64, permille: u64) -> u64 {
    let rank = (count * permille).div_ceil(1_000).max(1);
    let mut seen = 0;
    for (index, in_bucket) in counts.iter().enumerate() {
        seen += in_bucket;
        if seen >= rank {
            return upper_end(index);
        }
    }
    0
}

fn bucket_of(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let log2 = us.ilog2();
    if log2 >= LARGEST_LOG2 {
        return BUCKETS - 1;
    }
    let shift = log2 - STEPS_LOG2;
    let step = (us >> shift) - STEPS;
    ((shift as usize + 1) << STEPS_LOG2) + step as usize
}

fn upper_end(bucket: usize) -> u64 {
    let group = bucket as u64 >> STEPS_LOG2;
    let step = bucket as u64 & (STEPS - 1);
    match group {
        0 => step,
        _ => ((STEPS + step + 1) << (group - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_within_a_sixteenth() {
        for us in (0..100_000).chain([1 << 20, (1 << 24) - 1]) {
            let upper = upper_end(bucket_of(us));
            assert!(upper >= us && upper - us <= us / 16, "{us} got {upper}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_separate_the_usual_from_the_rare() {
        let lateness = Lateness::default();
        for _ in 0..985 {
            lateness.record_ns(10_000);
        }
        for _ in 0..14 {
            lateness.record_ns(1_000_000);
        }
        lateness.record_ns(30_000_000_000);
        let summary = lateness.summary();
        assert_eq!((summary.count, summary.p50_us), (1_000, 10));
        assert!((1_000..=1_063).contains(&summary.p99_us), "{summary:?}");
        assert!((1_000..=1_063).contains(&summary.p999_us), "{summary:?}");
        assert_eq!(summary.max_us, 30_000_000);
        assert_eq!(summary.sum_us, 985 * 10 + 14 * 1_000 + 30_000_000);
        assert_eq!(
            summary.within,
            [985, 985, 999, 999, 999, 999, 999, 999, 999]
        );
    }

    #[test]
    fn nothing_counted_is_all_zero() {
        assert_eq!(Lateness::default().summary(), LatenessSummary::default());
    }
}
