//! Karaoke: takes away what both channels share, and gives its low tones back.

use std::f64::consts::TAU;

use super::Frame;
use super::ramp::GLIDE;
use super::ramp::Ramp;
use super::settings::Karaoke as Settings;
use crate::SAMPLE_RATE;

#[derive(Clone, Debug)]
pub(super) struct Karaoke {
    level: Ramp,
    mono_level: Ramp,
    band: Band,
    target: Band,
    /// Samples until the band is where it was set.
    gliding: u32,
    /// The last two samples of the band.
    past: [f64; 2],
}

impl Karaoke {
    pub(super) fn new() -> Karaoke {
        let band = Band::new(&Settings::default());
        Karaoke {
            level: Ramp::at(0.0),
            mono_level: Ramp::at(0.0),
            band,
            target: band,
            gliding: 0,
            past: [0.0; 2],
        }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>) {
        let Some(settings) = settings.filter(|settings| settings.level > 0.0) else {
            return self.level.set(0.0);
        };
        let target = Band::new(&settings);
        if self.is_neutral() {
            self.band = target;
            self.past = [0.0; 2];
        }
        if target != self.target || self.gliding > 0 {
            self.gliding = GLIDE;
        }
        self.target = target;
        self.level.set(settings.level as f32);
        self.mono_level.set(settings.mono_level as f32);
    }

    pub(super) fn settle(&mut self) {
        self.level.settle();
        self.mono_level.settle();
        self.band = self.target;
        self.gliding = 0;
    }

    pub(super) fn reset(&mut self) {
        self.past = [0.0; 2];
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.level.rests_at(0.0)
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            self.glide();
            let (level, mono_level) = (self.level.next(), self.mono_level.next());
            let [left, right] = *frame;
            let mono = f64::from(left + right) / 2.0;
            let Band { a, b, c } = self.band;
            let band = a * mono - b * self.past[0] - c * self.past[1];
            self.past = [band, self.past[0]];
            let back = band as f32 * mono_level * level;
            *frame = [left - right * level + back, right - left * level + back];
        }
        self.past = self
            .past
            .map(|value| if value.abs() < 1e-30 { 0.0 } else { value });
    }

    fn glide(&mut self) {
        if self.gliding > 0 {
            let part = 1.0 / f64::from(self.gliding);
            self.band = self.band.towards(&self.target, part);
            self.gliding -= 1;
        }
    }
}

/// Coefficients of the band that comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Band {
    a: f64,
    b: f64,
    c: f64,
}

impl Band {
    fn new(settings: &Settings) -> Band {
        let rate = f64::from(SAMPLE_RATE);
        let c = (-TAU * settings.filter_width / rate).exp();
        let b = -4.0 * c / (1.0 + c) * (TAU * settings.filter_band / rate).cos();
        let a = (1.0 - b * b / (4.0 * c)).max(0.0).sqrt() * (1.0 - c);
        Band { a, b, c }
    }

    /// Stable filters lie in a triangle, so all on the way between two of them are stable.
    fn towards(&self, other: &Band, part: f64) -> Band {
        Band {
            a: self.a + (other.a - self.a) * part,
            b: self.b + (other.b - self.b) * part,
            c: self.c + (other.c - self.c) * part,
        }
    }
}
