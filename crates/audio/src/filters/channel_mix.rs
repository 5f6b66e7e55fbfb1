//! Channel mix: each output channel is a sum of both inputs.

use super::Frame;
use super::ramp::Ramp;
use super::settings::ChannelMix as Settings;

const NEUTRAL: [f32; 4] = [1.0, 0.0, 0.0, 1.0];

#[derive(Clone, Debug)]
pub(super) struct ChannelMix {
    /// Left to left, left to right, right to left, right to right.
    gains: [Ramp; 4],
}

impl ChannelMix {
    pub(super) fn new() -> ChannelMix {
        ChannelMix {
            gains: NEUTRAL.map(Ramp::at),
        }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>) {
        let mix = settings.unwrap_or_default();
        let targets = [
            mix.left_to_left,
            mix.left_to_right,
            mix.right_to_left,
            mix.right_to_right,
        ];
        for (gain, target) in self.gains.iter_mut().zip(targets) {
            gain.set(target as f32);
        }
    }

    pub(super) fn settle(&mut self) {
        self.gains.iter_mut().for_each(Ramp::settle);
    }

    pub(super) fn is_neutral(&self) -> bool {
        let mut pairs = self.gains.iter().zip(NEUTRAL);
        pairs.all(|(gain, neutral)| gain.rests_at(neutral))
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        let [ll, lr, rl, rr] = &mut self.gains;
        for frame in frames {
            let [left, right] = *frame;
            *frame = [
                ll.next() * left + rl.next() * right,
                lr.next() * left + rr.next() * right,
            ];
        }
    }
}
