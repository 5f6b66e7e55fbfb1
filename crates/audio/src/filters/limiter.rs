//! The end of the chain: what became too loud is bent to full scale instead of cut off.

use super::Frame;

/// Below this level nothing is changed: 0.4 dB under full scale.
const KNEE: f32 = 0.95;

/// Bends samples beyond the knee towards, and never beyond, full scale.
pub(super) fn limit(frames: &mut [Frame]) {
    for frame in frames {
        if frame[0].abs() > KNEE || frame[1].abs() > KNEE {
            *frame = frame.map(bend);
        } else if frame[0].is_nan() || frame[1].is_nan() {
            *frame = [0.0; 2];
        }
    }
}

fn bend(sample: f32) -> f32 {
    if sample.is_nan() {
        return 0.0;
    }
    let over = sample.abs() - KNEE;
    if over <= 0.0 {
        return sample;
    }
    let room = 1.0 - KNEE;
    (KNEE + room * (over / room).tanh()).copysign(sample)
}
