//! Distortion: a waveshaper of sine, cosine and tangent.

use super::Frame;
use super::ramp::Ramp;
use super::settings::Distortion as Settings;

#[derive(Clone, Debug)]
pub(super) struct Distortion {
    shape: Shape,
    former: Shape,
    /// From the former shape (0) to the present one (1).
    progress: Ramp,
}

impl Distortion {
    pub(super) fn new() -> Distortion {
        Distortion {
            shape: Shape::Straight,
            former: Shape::Straight,
            progress: Ramp::at(1.0),
        }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>) {
        let shape = match settings {
            Some(settings) if settings != Settings::default() => Shape::Bent(settings),
            _ => Shape::Straight,
        };
        if shape != self.shape {
            self.former = std::mem::replace(&mut self.shape, shape);
            self.progress = Ramp::at(0.0);
            self.progress.set(1.0);
        }
    }

    pub(super) fn settle(&mut self) {
        self.progress.settle();
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.shape == Shape::Straight && self.progress.rests_at(1.0)
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            let progress = self.progress.next();
            *frame = frame.map(|sample| {
                let new = self.shape.apply(sample);
                if progress == 1.0 {
                    return new;
                }
                let old = self.former.apply(sample);
                old + progress * (new - old)
            });
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Straight,
    Bent(Settings),
}

impl Shape {
    fn apply(&self, sample: f32) -> f32 {
        let Shape::Bent(settings) = self else {
            return sample;
        };
        let x = f64::from(sample);
        let sine = settings.sin_offset + (x * settings.sin_scale).sin();
        let cosine = settings.cos_offset + (x * settings.cos_scale).cos();
        let tangent = settings.tan_offset + (x * settings.tan_scale).tan();
        let bent = settings.offset + settings.scale * sine * cosine * tangent;
        // Infinite times zero is no number; clamp would let it through.
        if bent.is_nan() {
            0.0
        } else {
            bent.clamp(-1.0, 1.0) as f32
        }
    }
}
