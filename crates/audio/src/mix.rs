//! Any channel layout to stereo.

use symphonia::core::audio::{Channels, Position};

/// Sound of the centre and of the sides goes to both ears 3 dB down.
const MINUS_3_DB: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Gains from every source channel to left and right.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixer {
    gains: Vec<[f32; 2]>,
}

impl Mixer {
    /// The mix for a layout. Unknown layouts are read as mono, stereo or alternating left and right.
    pub fn new(channels: &Channels) -> Mixer {
        let gains = match channels {
            Channels::Positioned(positions) if positions.iter().count() > 2 => {
                positions.iter().map(position_gains).collect()
            }
            other => unpositioned_gains(other.count()),
        };
        Mixer {
            gains: normalised(gains),
        }
    }

    /// The mix for channels that come in an order of their own.
    pub fn in_order(positions: &[Position]) -> Mixer {
        let gains = match positions.len() {
            0..=2 => unpositioned_gains(positions.len()),
            _ => positions
                .iter()
                .map(|&position| position_gains(position))
                .collect(),
        };
        Mixer {
            gains: normalised(gains),
        }
    }

    /// How many source channels the mix takes.
    pub fn channels(&self) -> usize {
        self.gains.len()
    }

    /// Appends the stereo mix of interleaved `input` to `out`, interleaved.
    ///
    /// Samples that are no finite numbers become silence; a remainder shorter than a frame is dropped.
    pub fn mix(&self, input: &[f32], out: &mut Vec<f32>) {
        match self.gains.as_slice() {
            [] => {}
            [_] => out.extend(input.iter().flat_map(|&sample| [finite(sample); 2])),
            [_, _] => {
                out.extend(
                    input[..input.len() & !1]
                        .iter()
                        .map(|&sample| finite(sample)),
                );
            }
            gains => {
                for frame in input.chunks_exact(gains.len()) {
                    let (mut left, mut right) = (0.0, 0.0);
                    for (&sample, gain) in frame.iter().zip(gains) {
                        left += finite(sample) * gain[0];
                        right += finite(sample) * gain[1];
                    }
                    out.extend([left, right]);
                }
            }
        }
    }
}

fn unpositioned_gains(count: usize) -> Vec<[f32; 2]> {
    match count {
        1 => vec![[1.0, 1.0]],
        _ => (0..count)
            .map(|index| {
                if index % 2 == 0 {
                    [1.0, 0.0]
                } else {
                    [0.0, 1.0]
                }
            })
            .collect(),
    }
}

/// Left, right or both; the low-frequency channel is left out, as players do.
fn position_gains(position: Position) -> [f32; 2] {
    let left = Position::FRONT_LEFT | Position::FRONT_LEFT_CENTER | Position::FRONT_LEFT_WIDE;
    let right = Position::FRONT_RIGHT | Position::FRONT_RIGHT_CENTER | Position::FRONT_RIGHT_WIDE;
    let left_side = Position::SIDE_LEFT
        | Position::REAR_LEFT
        | Position::TOP_FRONT_LEFT
        | Position::TOP_REAR_LEFT;
    let right_side = Position::SIDE_RIGHT
        | Position::REAR_RIGHT
        | Position::TOP_FRONT_RIGHT
        | Position::TOP_REAR_RIGHT;
    if left.contains(position) {
        [1.0, 0.0]
    } else if right.contains(position) {
        [0.0, 1.0]
    } else if left_side.contains(position) {
        [MINUS_3_DB, 0.0]
    } else if right_side.contains(position) {
        [0.0, MINUS_3_DB]
    } else if (Position::LFE1 | Position::LFE2).contains(position) {
        [0.0, 0.0]
    } else {
        [MINUS_3_DB, MINUS_3_DB]
    }
}

/// Scales the mix down so that full scale on all channels at once does not clip.
fn normalised(mut gains: Vec<[f32; 2]>) -> Vec<[f32; 2]> {
    let loudest = (0..2)
        .map(|ear| gains.iter().map(|gain| gain[ear]).sum::<f32>())
        .fold(1.0_f32, f32::max);
    for gain in &mut gains {
        *gain = gain.map(|value| value / loudest);
    }
    gains
}

fn finite(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-4.0, 4.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(channels: &Channels, input: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        Mixer::new(channels).mix(input, &mut out);
        out
    }

    #[test]
    fn mono_and_stereo_keep_their_level() {
        let mono = Channels::Positioned(Position::FRONT_CENTER);
        assert_eq!(mix(&mono, &[0.5, -0.25]), [0.5, 0.5, -0.25, -0.25]);
        let stereo = Channels::Positioned(Position::FRONT_LEFT | Position::FRONT_RIGHT);
        assert_eq!(
            mix(&stereo, &[0.5, -0.25, 1.0, 0.0]),
            [0.5, -0.25, 1.0, 0.0]
        );
    }

    #[test]
    fn surround_goes_to_its_side_and_never_clips() {
        let layout = Channels::Positioned(
            Position::FRONT_LEFT
                | Position::FRONT_RIGHT
                | Position::FRONT_CENTER
                | Position::LFE1
                | Position::REAR_LEFT
                | Position::REAR_RIGHT,
        );
        let full = mix(&layout, &[1.0; 6]);
        assert!(
            full.iter().all(|sample| (0.99..=1.0).contains(sample)),
            "{full:?}"
        );
        let left_only = mix(&layout, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert!(left_only[0] > 0.5 && left_only[1] == 0.0, "{left_only:?}");
        assert_eq!(mix(&layout, &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]), [0.0, 0.0]);
    }

    #[test]
    fn hostile_samples_become_harmless() {
        let stereo = Channels::Discrete(2);
        assert_eq!(
            mix(&stereo, &[f32::NAN, f32::INFINITY, 1e30, 0.1]),
            [0.0, 0.0, 4.0, 0.1]
        );
    }
}
