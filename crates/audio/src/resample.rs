//! Any sampling rate to 48 kHz: a polyphase windowed-sinc filter with no phase shift.

use std::f64::consts::PI;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::SAMPLE_RATE;

/// Filter length in periods of the lower of the two rates.
const TAPS: usize = 80;
/// Kaiser window: about 100 dB of stopband attenuation.
const KAISER_BETA: f64 = 10.0;
/// The -6 dB point as a fraction of the lower rate: 20.9 kHz for 44.1 kHz.
const CUTOFF: f64 = 0.475;
/// Up to this many phases are stored exactly; rates that need more interpolate between phases.
const MAX_EXACT_PHASES: usize = 1024;

/// Resamples interleaved stereo to 48 kHz.
///
/// Output sample `n` stands for the input time `n / 48,000`: the filter's delay is already taken out.
/// `finish` gives the rest, so that `N` input samples become `ceil(N * 48,000 / rate)`.
#[derive(Debug)]
pub struct Resampler {
    table: Arc<Table>,
    left: Vec<f32>,
    right: Vec<f32>,
    phase: usize,
    samples_in: u64,
    samples_out: u64,
}

impl Resampler {
    /// A resampler from `rate` Hz, which must not be zero.
    pub fn new(rate: u32) -> Resampler {
        let mut resampler = Resampler {
            table: Table::shared(rate.max(1)),
            left: Vec::new(),
            right: Vec::new(),
            phase: 0,
            samples_in: 0,
            samples_out: 0,
        };
        resampler.reset();
        resampler
    }

    /// Appends to `out` what can be computed with the new `input`; both interleaved stereo.
    pub fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        self.samples_in += input.len() as u64 / 2;
        if self.table.is_identity() {
            out.extend_from_slice(input);
            return;
        }
        self.left.extend(input.iter().step_by(2));
        self.right.extend(input.iter().skip(1).step_by(2));
        self.run(u64::MAX, out);
    }

    /// Appends the end of the sound, which the filter still holds, and starts anew.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        if !self.table.is_identity() {
            let table = &self.table;
            let total = (self.samples_in * table.up as u64).div_ceil(table.down as u64);
            let padded = self.left.len() + table.taps;
            self.left.resize(padded, 0.0);
            self.right.resize(padded, 0.0);
            self.run(total.saturating_sub(self.samples_out), out);
        }
        self.reset();
    }

    /// Forgets the past, as after a seek.
    pub fn reset(&mut self) {
        let silence = if self.table.is_identity() {
            0
        } else {
            self.table.taps / 2 - 1
        };
        for channel in [&mut self.left, &mut self.right] {
            channel.clear();
            channel.resize(silence, 0.0);
        }
        self.phase = 0;
        self.samples_in = 0;
        self.samples_out = 0;
    }

    fn run(&mut self, limit: u64, out: &mut Vec<f32>) {
        let table = &self.table;
        let mut at = 0;
        let mut written = 0;
        while at + table.taps <= self.left.len() && written < limit {
            let window = at..at + table.taps;
            let [left, right] =
                table.apply(self.phase, &self.left[window.clone()], &self.right[window]);
            out.extend([left, right]);
            written += 1;
            let next = self.phase + table.down;
            at += next / table.up;
            self.phase = next % table.up;
        }
        // A step is never longer than the filter, so `at` is within the samples that are here.
        self.left.drain(..at);
        self.right.drain(..at);
        self.samples_out += written;
    }
}

/// The filter of one rate: one row of coefficients for each phase.
#[derive(Debug)]
struct Table {
    rate: u32,
    up: usize,
    down: usize,
    taps: usize,
    phases: usize,
    rows: Vec<f32>,
}

/// Tables in use, so that a thousand tracks of one rate share one table.
static TABLES: Mutex<Vec<Weak<Table>>> = Mutex::new(Vec::new());

impl Table {
    fn shared(rate: u32) -> Arc<Table> {
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|table| table.strong_count() > 0);
        if let Some(table) = tables
            .iter()
            .filter_map(Weak::upgrade)
            .find(|t| t.rate == rate)
        {
            return table;
        }
        let table = Arc::new(Table::new(rate));
        tables.push(Arc::downgrade(&table));
        table
    }

    fn new(rate: u32) -> Table {
        let divisor = greatest_common_divisor(rate, SAMPLE_RATE);
        let (up, down) = ((SAMPLE_RATE / divisor) as usize, (rate / divisor) as usize);
        // Relative to the input rate, the filter is as much longer as the output rate is lower.
        let stretch = (f64::from(rate) / f64::from(SAMPLE_RATE)).max(1.0);
        let taps = ((TAPS as f64 * stretch).ceil() as usize).next_multiple_of(8);
        let phases = up.min(MAX_EXACT_PHASES);
        let mut table = Table {
            rate,
            up,
            down,
            taps,
            phases,
            rows: Vec::new(),
        };
        if !table.is_identity() {
            table.rows.reserve_exact((phases + 1) * taps);
            for phase in 0..=phases {
                table.push_row(phase as f64 / phases as f64, stretch);
            }
        }
        table
    }

    fn is_identity(&self) -> bool {
        self.rate == SAMPLE_RATE
    }

    /// Adds the coefficients for an output sample that lies `fraction` after an input sample.
    fn push_row(&mut self, fraction: f64, stretch: f64) {
        let center = (self.taps / 2 - 1) as f64 + fraction;
        let half = self.taps as f64 / 2.0;
        let row: Vec<f64> = (0..self.taps)
            .map(|tap| {
                let x = tap as f64 - center;
                sinc(2.0 * CUTOFF * x / stretch) * kaiser(x / half, KAISER_BETA)
            })
            .collect();
        // Every phase has the same gain at 0 Hz, or a constant input would become a ripple.
        let sum: f64 = row.iter().sum();
        self.rows
            .extend(row.iter().map(|value| (value / sum) as f32));
    }

    fn apply(&self, phase: usize, left: &[f32], right: &[f32]) -> [f32; 2] {
        if self.phases == self.up {
            let row = self.row(phase);
            return [dot(left, row), dot(right, row)];
        }
        let place = phase * self.phases;
        let (index, rest) = (place / self.up, place % self.up);
        let weight = rest as f32 / self.up as f32;
        let (low, high) = (self.row(index), self.row(index + 1));
        [left, right].map(|samples| {
            let (a, b) = (dot(samples, low), dot(samples, high));
            a + (b - a) * weight
        })
    }

    fn row(&self, phase: usize) -> &[f32] {
        &self.rows[phase * self.taps..(phase + 1) * self.taps]
    }
}

/// The scalar product in eight independent lanes, which the compiler turns into SIMD.
pub(crate) fn dot(samples: &[f32], row: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (samples, row) in samples
        .as_chunks::<8>()
        .0
        .iter()
        .zip(row.as_chunks::<8>().0)
    {
        for lane in 0..8 {
            lanes[lane] += samples[lane] * row[lane];
        }
    }
    lanes.iter().sum()
}

pub(crate) fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-12 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The Kaiser window of `beta` over -1 to 1.
pub(crate) fn kaiser(x: f64, beta: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    bessel_i0(beta * (1.0 - x * x).sqrt()) / bessel_i0(beta)
}

/// The modified Bessel function of order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut term = 1.0;
    for k in 1..64 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, hertz: f64, seconds: f64) -> Vec<f32> {
        let count = (f64::from(rate) * seconds) as usize;
        (0..count)
            .flat_map(|n| {
                let value = 0.9 * (2.0 * PI * hertz * n as f64 / f64::from(rate)).sin();
                [value as f32, -value as f32]
            })
            .collect()
    }

    fn resample(rate: u32, input: &[f32], block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(rate);
        let mut out = Vec::new();
        for chunk in input.chunks(block * 2) {
            resampler.process(chunk, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    /// Distortion and noise in dB below the sine of `hertz`, after a least-squares fit of that sine.
    fn thd_n(samples: &[f64], hertz: f64) -> f64 {
        let (mut ss, mut cc, mut sc, mut ys, mut yc) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let angle = |n: usize| 2.0 * PI * hertz * n as f64 / f64::from(SAMPLE_RATE);
        for (n, y) in samples.iter().enumerate() {
            let (s, c) = angle(n).sin_cos();
            ss += s * s;
            cc += c * c;
            sc += s * c;
            ys += y * s;
            yc += y * c;
        }
        let det = ss * cc - sc * sc;
        let (a, b) = ((ys * cc - yc * sc) / det, (yc * ss - ys * sc) / det);
        let (mut signal, mut rest) = (0.0, 0.0);
        for (n, y) in samples.iter().enumerate() {
            let (s, c) = angle(n).sin_cos();
            let fit = a * s + b * c;
            signal += fit * fit;
            rest += (y - fit) * (y - fit);
        }
        10.0 * (rest / signal).log10()
    }

    fn check_sine(rate: u32, hertz: f64) {
        let out = resample(rate, &sine(rate, hertz, 0.5), 1000);
        for channel in 0..2 {
            let samples: Vec<f64> = out
                .iter()
                .skip(channel)
                .step_by(2)
                .map(|&y| f64::from(y))
                .collect();
            let middle = &samples[2000..samples.len() - 2000];
            let level = thd_n(middle, hertz);
            assert!(level < -90.0, "{rate} Hz, {hertz} Hz tone: {level:.1} dB");
        }
    }

    #[test]
    fn a_sine_stays_a_sine() {
        for hertz in [100.0, 997.0, 6_000.0, 12_000.0, 18_000.0] {
            check_sine(44_100, hertz);
        }
        for rate in [
            8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 88_200, 96_000, 176_400, 192_000,
        ] {
            check_sine(rate, 997.0);
            check_sine(rate, f64::from(rate.min(48_000)) * 0.35);
        }
    }

    #[test]
    fn odd_rates_interpolate_between_phases() {
        for rate in [44_056, 47_999, 48_001, 37_123, 12_345] {
            check_sine(rate, 997.0);
        }
    }

    #[test]
    fn nothing_is_lost_or_shifted() {
        for rate in [8_000, 44_100, 48_000, 96_000, 192_000, 47_999] {
            let input = sine(rate, 440.0, 0.25);
            let out = resample(rate, &input, 333);
            let frames = (input.len() as u64 / 2 * u64::from(SAMPLE_RATE)).div_ceil(rate.into());
            assert_eq!(out.len() as u64 / 2, frames, "{rate} Hz");
            for n in (2_000..8_000).step_by(37) {
                let want = 0.9 * (2.0 * PI * 440.0 * n as f64 / 48_000.0).sin();
                assert!(
                    (f64::from(out[2 * n]) - want).abs() < 1e-3,
                    "{rate} Hz, sample {n}"
                );
            }
        }
    }

    #[test]
    fn block_sizes_do_not_matter() {
        let input = sine(44_100, 1_234.0, 0.1);
        assert_eq!(resample(44_100, &input, 1), resample(44_100, &input, 4410));
    }
}
