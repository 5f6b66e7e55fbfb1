//! A slow sine: the swing of tremolo, vibrato and rotation.

use std::f64::consts::TAU;

use crate::SAMPLE_RATE;

/// A sine that starts at 0, made by turning a unit vector a little with each sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lfo {
    sin: f64,
    cos: f64,
    step_sin: f64,
    step_cos: f64,
}

impl Lfo {
    pub(super) fn new() -> Lfo {
        Lfo {
            sin: 0.0,
            cos: 1.0,
            step_sin: 0.0,
            step_cos: 1.0,
        }
    }

    /// Sets the frequency in Hz; the phase goes on where it is.
    pub(super) fn set(&mut self, hertz: f64) {
        let turn = (hertz / f64::from(SAMPLE_RATE)).rem_euclid(1.0);
        let turn = if turn.is_finite() { turn } else { 0.0 };
        (self.step_sin, self.step_cos) = (TAU * turn).sin_cos();
    }

    /// Goes back to the start of the sine.
    pub(super) fn restart(&mut self) {
        (self.sin, self.cos) = (0.0, 1.0);
    }

    /// The next sample, -1 to 1.
    pub(super) fn next(&mut self) -> f32 {
        let value = self.sin as f32;
        let sin = self.sin * self.step_cos + self.cos * self.step_sin;
        let cos = self.cos * self.step_cos - self.sin * self.step_sin;
        // One Newton step towards length 1, or roundings would add up over hours.
        let correction = 1.5 - 0.5 * (sin * sin + cos * cos);
        (self.sin, self.cos) = (sin * correction, cos * correction);
        value
    }
}
