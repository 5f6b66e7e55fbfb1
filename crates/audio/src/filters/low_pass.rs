//! Low-pass: each sample goes a part of the way to the input.

use super::Frame;
use super::ramp::Ramp;
use super::settings::LowPass as Settings;

#[derive(Clone, Debug)]
pub(super) struct LowPass {
    /// How much of the way: 1 changes nothing.
    part: Ramp,
    value: Frame,
}

impl LowPass {
    pub(super) fn new() -> LowPass {
        LowPass {
            part: Ramp::at(1.0),
            value: [0.0; 2],
        }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>) {
        let smoothing = settings.map_or(1.0, |settings| settings.smoothing.max(1.0));
        self.part.set((1.0 / smoothing) as f32);
    }

    pub(super) fn settle(&mut self) {
        self.part.settle();
    }

    pub(super) fn reset(&mut self) {
        self.value = [0.0; 2];
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.part.rests_at(1.0)
    }

    /// Follows the sound while it is not changed.
    pub(super) fn note(&mut self, frames: &[Frame]) {
        self.value = frames.last().copied().unwrap_or(self.value);
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        for frame in frames.iter_mut() {
            let part = self.part.next();
            for (value, sample) in self.value.iter_mut().zip(frame) {
                *value += (*sample - *value) * part;
                *sample = *value;
            }
        }
        self.value = self.value.map(super::without_denormal);
    }
}
