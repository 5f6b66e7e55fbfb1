//! Vibrato: a delay that swings, and the pitch with it.

use super::Frame;
use super::lfo::Lfo;
use super::ramp::Ramp;
use super::settings::Swing;

/// Frames in the delay line: more than the longest delay, and a power of two.
const LINE: usize = 256;
/// The longest swing in samples: 2 ms.
const SWING: f32 = 96.0;
/// The shortest delay in samples: what the interpolation looks ahead.
const LEAST: f32 = 3.0;

#[derive(Clone, Debug)]
pub(super) struct Vibrato {
    line: [Frame; LINE],
    /// Where the next frame goes.
    at: usize,
    lfo: Lfo,
    depth: Ramp,
    /// 0 is off, 1 is on; halfway values only while it is switched.
    amount: Ramp,
}

impl Vibrato {
    pub(super) fn new() -> Vibrato {
        Vibrato {
            line: [[0.0; 2]; LINE],
            at: 0,
            lfo: Lfo::new(),
            depth: Ramp::at(0.0),
            amount: Ramp::at(0.0),
        }
    }

    pub(super) fn set(&mut self, settings: Option<Swing>) {
        let Some(swing) = settings.filter(|swing| swing.depth > 0.0) else {
            return self.amount.set(0.0);
        };
        let depth = swing.depth as f32;
        if self.is_neutral() {
            self.lfo.restart();
            self.depth = Ramp::at(depth);
        }
        self.lfo.set(swing.frequency);
        self.depth.set(depth);
        self.amount.set(1.0);
    }

    pub(super) fn settle(&mut self) {
        self.depth.settle();
        self.amount.settle();
    }

    pub(super) fn reset(&mut self) {
        self.line = [[0.0; 2]; LINE];
        self.lfo.restart();
    }

    pub(super) fn is_neutral(&self) -> bool {
        self.amount.rests_at(0.0)
    }

    /// Follows the sound while it is not changed.
    pub(super) fn note(&mut self, frames: &[Frame]) {
        let recent = frames.len().saturating_sub(LINE);
        for frame in &frames[recent..] {
            self.write(*frame);
        }
    }

    pub(super) fn process(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            let delay = SWING * self.depth.next() * (self.lfo.next() + 1.0) / 2.0 + LEAST;
            let delayed = self.read(delay);
            self.write(*frame);
            let amount = self.amount.next();
            for (sample, delayed) in frame.iter_mut().zip(delayed) {
                *sample += amount * (delayed - *sample);
            }
        }
    }

    fn write(&mut self, frame: Frame) {
        self.line[self.at] = frame;
        self.at = (self.at + 1) % LINE;
    }

    /// The sound of `delay` samples before the frame to be written next, by Hermite interpolation.
    fn read(&self, delay: f32) -> Frame {
        let whole = delay.ceil();
        let t = whole - delay;
        let first = self.at + 2 * LINE - whole as usize;
        let [a, b, c, d] = [
            self.line[(first - 1) % LINE],
            self.line[first % LINE],
            self.line[(first + 1) % LINE],
            self.line[(first + 2) % LINE],
        ];
        [0, 1].map(|channel| hermite([a[channel], b[channel], c[channel], d[channel]], t))
    }
}

/// The curve through the two middle points at `t` between them.
fn hermite([a, b, c, d]: [f32; 4], t: f32) -> f32 {
    let first = 0.5 * (c - a);
    let second = a - 2.5 * b + 2.0 * c - 0.5 * d;
    let third = 0.5 * (d - a) + 1.5 * (b - c);
    ((third * t + second) * t + first) * t + b
}
