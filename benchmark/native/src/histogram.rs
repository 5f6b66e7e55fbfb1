//! Lateness counted in logarithmic buckets, mergeable over flows and rounds.

const STEPS_LOG2: u32 = 4;
const STEPS: u64 = 1 << STEPS_LOG2;

/// Counts by microseconds; a value is known to 1/16 of itself.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_us: u64,
}

impl Histogram {
    /// Counts one value.
    pub fn record_ns(&mut self, ns: u64) {
        let us = ns / 1_000;
        let bucket = bucket_of(us);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The largest value, microseconds.
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// The value below which `permyriad` ten-thousandths of all values lie, microseconds.
    pub fn percentile_us(&self, permyriad: u64) -> u64 {
        let rank = (self.total * permyriad).div_ceil(10_000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_end(bucket).min(self.max_us);
            }
        }
        0
    }

    /// Every bucket that is not empty: its upper end in microseconds, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let filled = self
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        filled.map(|(bucket, count)| (upper_end(bucket), *count))
    }
}

fn bucket_of(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let shift = us.ilog2() - STEPS_LOG2;
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
    fn percentiles_of_a_known_distribution() {
        let mut histogram = Histogram::default();
        for us in 1..=10_000_u64 {
            histogram.record_ns(us * 1_000);
        }
        for (permyriad, exact) in [
            (5_000, 5_000),
            (9_900, 9_900),
            (9_990, 9_990),
            (10_000, 10_000),
        ] {
            let got = histogram.percentile_us(permyriad);
            assert!(
                got >= exact && got - exact <= exact / 16,
                "{permyriad}: {got}"
            );
        }
        assert_eq!((histogram.total(), histogram.max_us()), (10_000, 10_000));
        assert_eq!(
            histogram.buckets().map(|(_, count)| count).sum::<u64>(),
            10_000
        );
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        for us in (0..70_000).chain([u64::from(u32::MAX)]) {
            let upper = upper_end(bucket_of(us));
            assert!(upper >= us && upper - us <= us / 16, "{us} got {upper}");
        }
    }

    #[test]
    fn nothing_counted_is_all_zero() {
        let histogram = Histogram::default();
        assert_eq!((histogram.percentile_us(9_990), histogram.max_us()), (0, 0));
    }
}
