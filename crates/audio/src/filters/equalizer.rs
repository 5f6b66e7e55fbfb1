//! The equalizer: 15 band-passes side by side, added to the sound.
//!
//! Each band is a state-variable filter with trapezoidal integrators. Its response is that of the
//! two-pole sections that Lavalink documents, and single precision is enough down to 25 Hz, where
//! the direct form needs doubles. All bands of a channel lie in one array, so that a sample costs a
//! few vector instructions instead of fifteen filters in a row.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use super::Frame;
use super::ramp::GLIDE;
use super::settings::BANDS;
use crate::SAMPLE_RATE;

/// Bands, filled up to whole vectors.
const LANES: usize = 16;
type Lanes = [f32; LANES];

/// Centres in Hz.
const CENTRES: [f64; BANDS] = [
    25.0, 40.0, 63.0, 100.0, 160.0, 250.0, 400.0, 630.0, 1_000.0, 1_600.0, 2_500.0, 4_000.0,
    6_300.0, 10_000.0, 16_000.0,
];

#[derive(Clone, Debug)]
pub(super) struct Equalizer {
    channels: [Bank; 2],
    gains: Lanes,
    targets: Lanes,
    steps: Lanes,
    gliding: u32,
}

impl Equalizer {
    pub(super) fn new() -> Equalizer {
        Equalizer {
            channels: [Bank::default(); 2],
            gains: [0.0; LANES],
            targets: [0.0; LANES],
            steps: [0.0; LANES],
            gliding: 0,
        }
    }

    pub(super) fn set(&mut self, gains: &[f64; BANDS]) {
        let mut targets = [0.0; LANES];
        for (target, gain) in targets.iter_mut().zip(gains) {
            // A gain of 0.25 adds the band once more.
            *target = (4.0 * gain) as f32;
        }
        if targets == self.targets {
            return;
        }
        if self.is_neutral() {
            self.reset();
        }
        self.targets = targets;
        self.gliding = GLIDE;
        for ((step, target), gain) in self.steps.iter_mut().zip(targets).zip(self.gains) {
            *step = (target - gain) / GLIDE as f32;
        }
    }

    pub(super) fn settle(&mut self) {
        self.gains = self.targets;
        self.gliding = 0;
    }

    pub(super) fn reset(&mut self) {
        self.channels = [Bank::default(); 2];
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.gliding == 0 && self.gains == [0.0; LANES]
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        let tuning = &*TUNING;
        let glided = frames.len().min(self.gliding as usize);
        let (gliding, steady) = frames.split_at_mut(glided);
        for frame in gliding {
            self.glide();
            let gains = self.scaled(tuning);
            for (bank, sample) in self.channels.iter_mut().zip(frame) {
                *sample += bank.tick(tuning, &gains, *sample);
            }
        }
        let gains = self.scaled(tuning);
        for (channel, bank) in self.channels.iter_mut().enumerate() {
            // A copy stays in registers.
            let mut state = *bank;
            for frame in steady.iter_mut() {
                frame[channel] += state.tick(tuning, &gains, frame[channel]);
            }
            *bank = state.without_denormals();
        }
    }

    fn glide(&mut self) {
        self.gliding -= 1;
        if self.gliding == 0 {
            self.gains = self.targets;
            return;
        }
        for (gain, step) in self.gains.iter_mut().zip(self.steps) {
            *gain += step;
        }
    }

    /// Gains for the band-pass outputs, whose peak is 1 / damping.
    fn scaled(&self, tuning: &Tuning) -> Lanes {
        let mut scaled = self.gains;
        for (gain, damping) in scaled.iter_mut().zip(tuning.damping) {
            *gain *= damping;
        }
        scaled
    }
}

/// State of all bands of a channel.
#[derive(Clone, Copy, Debug, Default)]
struct Bank {
    first: Lanes,
    second: Lanes,
}

impl Bank {
    /// The sum of all bands for one sample.
    #[inline(always)]
    fn tick(&mut self, tuning: &Tuning, gains: &Lanes, sample: f32) -> f32 {
        let mut bands = [0.0; LANES];
        for lane in 0..LANES {
            let rest = sample - self.second[lane];
            let band = tuning.a1[lane] * self.first[lane] + tuning.a2[lane] * rest;
            let low =
                self.second[lane] + tuning.a2[lane] * self.first[lane] + tuning.a3[lane] * rest;
            self.first[lane] = 2.0 * band - self.first[lane];
            self.second[lane] = 2.0 * low - self.second[lane];
            bands[lane] = gains[lane] * band;
        }
        sum(&bands)
    }

    fn without_denormals(self) -> Bank {
        Bank {
            first: self.first.map(super::without_denormal),
            second: self.second.map(super::without_denormal),
        }
    }
}

/// Adds in pairs, which vectors can do; from left to right they could not.
#[inline(always)]
fn sum(lanes: &Lanes) -> f32 {
    let mut four = [0.0; 4];
    for lane in 0..4 {
        four[lane] = (lanes[lane] + lanes[lane + 4]) + (lanes[lane + 8] + lanes[lane + 12]);
    }
    (four[0] + four[1]) + (four[2] + four[3])
}

/// Coefficients of all bands.
struct Tuning {
    a1: Lanes,
    a2: Lanes,
    a3: Lanes,
    damping: Lanes,
}

static TUNING: LazyLock<Tuning> = LazyLock::new(Tuning::new);

impl Tuning {
    fn new() -> Tuning {
        let mut tuning = Tuning {
            a1: [0.0; LANES],
            a2: [0.0; LANES],
            a3: [0.0; LANES],
            damping: [0.0; LANES],
        };
        for (lane, centre) in CENTRES.into_iter().enumerate() {
            let angle = TAU * centre / f64::from(SAMPLE_RATE);
            // The lower edge, 3 dB down, lies a third of an octave below.
            let edge = angle * 2.0_f64.powf(-1.0 / 3.0);
            let width = (edge.cos() - angle.cos()) / edge.sin();
            let damping = 2.0 * width / angle.sin();
            let g = (angle / 2.0).tan();
            let a1 = 1.0 / (1.0 + g * (g + damping));
            tuning.a1[lane] = a1 as f32;
            tuning.a2[lane] = (g * a1) as f32;
            tuning.a3[lane] = (g * g * a1) as f32;
            tuning.damping[lane] = damping as f32;
        }
        tuning
    }
}
