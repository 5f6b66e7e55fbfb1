//! Higher and faster, or lower and slower: resampling by any factor, which may change while it plays.

use std::sync::{Arc, LazyLock};

use super::Frame;
use super::ramp::GLIDE;
use super::stretch::Stretch;
use crate::resample::{dot, kaiser, sinc};

/// Periods of the lower rate on each side of a sample that make up its filter.
const HALF: usize = 24;
/// Places between two samples for which there are coefficients; others lie between two of them.
const PHASES: usize = 256;
/// Kaiser window: about 80 dB of stopband attenuation.
const KAISER_BETA: f64 = 8.0;
/// The -6 dB point as a fraction of the lower rate.
const CUTOFF: f64 = 0.475;
/// Frames kept behind the present one: half of the longest filter, and some.
const PAST: usize = 256;
/// Frames that may lie unused at the front before the rest is moved there.
const SLACK: usize = 1_024;
/// Frames taken from the stretcher at once.
const PIECE: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Pitch {
    /// Input frames per output frame.
    factor: f64,
    kernel: Arc<Kernel>,
    left: Vec<f32>,
    right: Vec<f32>,
    /// The next output frame's place among the samples here.
    at: f64,
    /// Output frames until `at` has come to lie on a sample, on the way back to a factor of 1.
    landing: u32,
    /// Samples of sound that are here, once no more come.
    end: Option<usize>,
}

impl Pitch {
    pub(super) fn new() -> Pitch {
        Pitch {
            factor: 1.0,
            kernel: Arc::clone(&UPWARDS),
            left: vec![0.0; PAST],
            right: vec![0.0; PAST],
            at: PAST as f64,
            landing: 0,
            end: None,
        }
    }

    /// Sets the factor of pitch and speed.
    pub(super) fn set(&mut self, factor: f64) {
        if factor == self.factor && self.landing == 0 {
            return;
        }
        self.kernel = Kernel::shared(factor);
        self.landing = 0;
        self.factor = factor;
        let rest = self.at.ceil() - self.at;
        if factor == 1.0 && rest > 0.0 {
            // Straight on would leave the sound between two samples for good.
            self.factor = 1.0 + rest / f64::from(GLIDE);
            self.landing = GLIDE;
        }
    }

    pub(super) fn reset(&mut self) {
        let factor = if self.landing > 0 { 1.0 } else { self.factor };
        *self = Pitch::new();
        self.set(factor);
    }

    /// Whether sound goes through with nothing held back.
    pub(super) fn is_neutral(&self) -> bool {
        self.is_straight() && self.at as usize == self.left.len()
    }

    /// Frames of the stretcher that were taken and not played.
    pub(super) fn pending(&self) -> f64 {
        let end = self.end.unwrap_or(self.left.len());
        (end as f64 - self.at).max(0.0)
    }

    /// Plays what `stretch` gives into `out`; returns how many frames there were.
    pub(super) fn pull(&mut self, stretch: &mut Stretch, out: &mut [Frame]) -> usize {
        let mut made = 0;
        while made < out.len() {
            if self.is_straight() {
                made += self.play_straight(stretch, &mut out[made..]);
                break;
            }
            if self.end.is_some_and(|end| self.at >= end as f64) {
                break;
            }
            let ahead = self.at as usize + self.kernel.taps() / 2 + 1;
            if ahead <= self.left.len() {
                out[made] = self.sample();
                made += 1;
            } else if !self.take(stretch) {
                break;
            }
        }
        self.forget_played();
        made
    }

    /// Whether frames are handed on as they are.
    pub(super) fn is_straight(&self) -> bool {
        self.factor == 1.0
    }

    /// Hands frames on as they are: first those that lie here, then the stretcher's.
    fn play_straight(&mut self, stretch: &mut Stretch, out: &mut [Frame]) -> usize {
        let first = self.at as usize;
        let end = self.end.unwrap_or(self.left.len());
        let here = out.len().min(end.saturating_sub(first));
        for (n, slot) in out[..here].iter_mut().enumerate() {
            *slot = [self.left[first + n], self.right[first + n]];
        }
        let count = stretch.pull(&mut out[here..]);
        // The latest sound stays, for the filter of another factor to begin with.
        let recent = &out[here..here + count];
        let recent = &recent[recent.len().saturating_sub(PAST)..];
        self.left.extend(recent.iter().map(|frame| frame[0]));
        self.right.extend(recent.iter().map(|frame| frame[1]));
        self.at += (here + recent.len()) as f64;
        here + count
    }

    /// Takes more from the stretcher; silence once it is over. `false` when it has nothing yet.
    fn take(&mut self, stretch: &mut Stretch) -> bool {
        let mut frames = [[0.0; 2]; PIECE];
        let count = stretch.pull(&mut frames);
        if count == 0 && stretch.is_over() {
            self.end.get_or_insert(self.left.len());
            let padded = self.left.len() + self.kernel.taps();
            self.left.resize(padded, 0.0);
            self.right.resize(padded, 0.0);
            return true;
        }
        self.left
            .extend(frames[..count].iter().map(|frame| frame[0]));
        self.right
            .extend(frames[..count].iter().map(|frame| frame[1]));
        count > 0
    }

    fn sample(&mut self) -> Frame {
        let index = self.at as usize;
        let fraction = self.at - index as f64;
        let first = index + 1 - self.kernel.taps() / 2;
        let window = first..first + self.kernel.taps();
        let (left, right) = (&self.left[window.clone()], &self.right[window]);
        let frame = self.kernel.apply(fraction, left, right);
        self.at += self.factor;
        if self.landing > 0 {
            self.landing -= 1;
            if self.landing == 0 {
                self.at = self.at.round();
                self.factor = 1.0;
            }
        }
        frame
    }

    fn forget_played(&mut self) {
        let unused = (self.at as usize).min(self.left.len()).saturating_sub(PAST);
        if unused >= SLACK {
            self.left.drain(..unused);
            self.right.drain(..unused);
            self.at -= unused as f64;
            self.end = self.end.map(|end| end.saturating_sub(unused));
        }
    }
}

/// The filter of one factor: a row of coefficients for each phase.
#[derive(Debug)]
struct Kernel {
    taps: usize,
    phases: usize,
    rows: Vec<f32>,
}

/// The filter of all factors up to 1, which have nothing to keep out.
static UPWARDS: LazyLock<Arc<Kernel>> = LazyLock::new(|| Arc::new(Kernel::new(1.0)));

/// One side of the filter's curve, in steps of 1 / [`PHASES`] periods.
static CURVE: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let points = 0..=HALF * PHASES + 1;
    points
        .map(|point| {
            let x = point as f64 / PHASES as f64;
            sinc(2.0 * CUTOFF * x) * kaiser(x / HALF as f64, KAISER_BETA)
        })
        .collect()
});

impl Kernel {
    fn shared(factor: f64) -> Arc<Kernel> {
        if factor <= 1.0 {
            Arc::clone(&UPWARDS)
        } else {
            Arc::new(Kernel::new(factor))
        }
    }

    /// The filter for `factor` input samples per output sample.
    fn new(factor: f64) -> Kernel {
        let stretch = factor.max(1.0);
        let taps = (2.0 * HALF as f64 * stretch).ceil() as usize;
        let taps = taps.next_multiple_of(8);
        // A longer filter is smoother, so fewer phases do.
        let phases = ((PHASES as f64 / stretch) as usize).max(16);
        let mut rows = Vec::with_capacity((phases + 1) * taps);
        for phase in 0..=phases {
            let centre = (taps / 2 - 1) as f64 + phase as f64 / phases as f64;
            let start = rows.len();
            rows.extend((0..taps).map(|tap| curve((tap as f64 - centre).abs() / stretch)));
            // Every phase has the same gain at 0 Hz, or a constant input would become a ripple.
            let sum: f32 = rows[start..].iter().sum();
            rows[start..].iter_mut().for_each(|value| *value /= sum);
        }
        Kernel { taps, phases, rows }
    }

    fn taps(&self) -> usize {
        self.taps
    }

    fn apply(&self, fraction: f64, left: &[f32], right: &[f32]) -> Frame {
        let place = fraction * self.phases as f64;
        let index = (place as usize).min(self.phases - 1);
        let weight = (place - index as f64) as f32;
        let rows = &self.rows[index * self.taps..(index + 2) * self.taps];
        let (low, high) = rows.split_at(self.taps);
        [left, right].map(|samples| {
            let (a, b) = (dot(samples, low), dot(samples, high));
            a + (b - a) * weight
        })
    }
}

/// The filter's curve at a distance of `x` periods.
fn curve(x: f64) -> f32 {
    let place = x * PHASES as f64;
    let index = place as usize;
    if index + 1 >= CURVE.len() {
        return 0.0;
    }
    let weight = place - index as f64;
    (CURVE[index] + (CURVE[index + 1] - CURVE[index]) * weight) as f32
}
