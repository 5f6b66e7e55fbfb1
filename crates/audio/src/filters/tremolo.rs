//! Tremolo: loudness that swings between 1 and 1 - depth.

use super::Frame;
use super::lfo::Lfo;
use super::ramp::Ramp;
use super::settings::Swing;

#[derive(Clone, Debug)]
pub(super) struct Tremolo {
    lfo: Lfo,
    half_depth: Ramp,
}

impl Tremolo {
    pub(super) fn new() -> Tremolo {
        Tremolo {
            lfo: Lfo::new(),
            half_depth: Ramp::at(0.0),
        }
    }

    pub(super) fn set(&mut self, settings: Option<Swing>) {
        let depth = settings.map_or(0.0, |swing| swing.depth);
        if let Some(swing) = settings {
            if self.is_neutral() {
                self.lfo.restart();
            }
            self.lfo.set(swing.frequency);
        }
        self.half_depth.set(depth as f32 / 2.0);
    }

    pub(super) fn settle(&mut self) {
        self.half_depth.settle();
    }

    pub(super) fn reset(&mut self) {
        self.lfo.restart();
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.half_depth.rests_at(0.0)
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            let depth = self.half_depth.next();
            let gain = 1.0 - depth + depth * self.lfo.next();
            *frame = frame.map(|sample| sample * gain);
        }
    }
}
