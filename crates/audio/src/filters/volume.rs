//! Volume: one factor for both channels.

use super::Frame;
use super::ramp::Ramp;

#[derive(Clone, Debug)]
pub(super) struct Volume {
    gain: Ramp,
}

impl Volume {
    pub(super) fn new() -> Volume {
        Volume {
            gain: Ramp::at(1.0),
        }
    }

    pub(super) fn set(&mut self, gain: f64) {
        self.gain.set(gain as f32);
    }

    pub(super) fn settle(&mut self) {
        self.gain.settle();
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.gain.rests_at(1.0)
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            let gain = self.gain.next();
            *frame = frame.map(|sample| sample * gain);
        }
    }
}
