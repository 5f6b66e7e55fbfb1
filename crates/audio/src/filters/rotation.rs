//! Rotation: the sound moves from one ear to the other and back.

use super::Frame;
use super::lfo::Lfo;
use super::ramp::Ramp;
use super::settings::Rotation as Settings;

#[derive(Clone, Debug)]
pub(super) struct Rotation {
    lfo: Lfo,
    /// 0 is off, 1 is on; halfway values only while it is switched.
    amount: Ramp,
}

impl Rotation {
    pub(super) fn new() -> Rotation {
        Rotation {
            lfo: Lfo::new(),
            amount: Ramp::at(0.0),
        }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>) {
        let hertz = settings.unwrap_or_default().rotation_hz;
        if hertz == 0.0 {
            return self.amount.set(0.0);
        }
        if self.is_neutral() {
            self.lfo.restart();
        }
        self.lfo.set(hertz);
        self.amount.set(1.0);
    }

    pub(super) fn settle(&mut self) {
        self.amount.settle();
    }

    pub(super) fn reset(&mut self) {
        self.lfo.restart();
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.amount.rests_at(0.0)
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            let (amount, sine) = (self.amount.next(), self.lfo.next());
            let [left, right] = *frame;
            *frame = [
                left * (1.0 + amount * ((1.0 + sine) / 2.0 - 1.0)),
                right * (1.0 + amount * ((1.0 - sine) / 2.0 - 1.0)),
            ];
        }
    }
}
