//! Values that glide to where they are set, so that no change is heard as a click.

/// Samples a glide takes: 10 ms.
pub(super) const GLIDE: u32 = 480;

/// A value on its way to a target, one step per sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    value: f32,
    target: f32,
    step: f32,
    left: u32,
}

impl Ramp {
    pub(super) fn at(value: f32) -> Ramp {
        Ramp {
            value,
            target: value,
            step: 0.0,
            left: 0,
        }
    }

    /// Begins a glide to `target`.
    pub(super) fn set(&mut self, target: f32) {
        if target != self.target {
            self.target = target;
            self.step = (target - self.value) / GLIDE as f32;
            self.left = GLIDE;
        }
    }

    /// The value for the next sample.
    pub(super) fn next(&mut self) -> f32 {
        if self.left > 0 {
            self.left -= 1;
            self.value = if self.left == 0 {
                self.target
            } else {
                self.value + self.step
            };
        }
        self.value
    }

    /// Arrives at once.
    pub(super) fn settle(&mut self) {
        self.value = self.target;
        self.left = 0;
    }

    /// Whether the value rests at `value`.
    pub(super) fn rests_at(&self, value: f32) -> bool {
        self.left == 0 && self.value == value
    }
}
