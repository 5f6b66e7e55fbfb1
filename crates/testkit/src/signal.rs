//! Sounds to test with, as interleaved 16-bit samples, and the smallest file around them.

use std::f64::consts::TAU;

use crate::SeededRandom;

/// A sine of `hz` at `amplitude` (0 to 1), the same in every channel.
pub fn sine(hz: f64, amplitude: f64, sample_rate: u32, channels: u16, millis: u32) -> Vec<i16> {
    render(sample_rate, channels, millis, |seconds, _| {
        amplitude * (TAU * hz * seconds).sin()
    })
}

/// Something like music: chords of decaying tones with overtones, another every half second, and
/// different in each channel. The same seed gives the same music.
pub fn music(seed: u64, sample_rate: u32, channels: u16, millis: u32) -> Vec<i16> {
    const NOTES: [f64; 8] = [110.0, 146.8, 164.8, 196.0, 220.0, 293.7, 329.6, 440.0];
    const CHORD_MS: u32 = 500;
    let mut random = SeededRandom::new(seed);
    let chords: Vec<[f64; 3]> = (0..=millis / CHORD_MS)
        .map(|_| [(); 3].map(|()| NOTES[random.below(NOTES.len() as u64) as usize]))
        .collect();
    render(sample_rate, channels, millis, |seconds, channel| {
        let chord_seconds = f64::from(CHORD_MS) / 1_000.0;
        let chord = chords[((seconds / chord_seconds) as usize).min(chords.len() - 1)];
        let fade = (-3.0 * (seconds % chord_seconds)).exp();
        let tones = chord.iter().map(|note| {
            let hz = note * (1.0 + 0.002 * f64::from(channel));
            (1..=4)
                .map(|n| (TAU * hz * f64::from(n) * seconds).sin() / f64::from(n))
                .sum::<f64>()
        });
        0.12 * fade * tones.sum::<f64>()
    })
}

/// A RIFF WAVE file of these samples.
pub fn wav(samples: &[i16], sample_rate: u32, channels: u16) -> Vec<u8> {
    let data_len = (samples.len() * 2) as u32;
    let frame_len = channels * 2;
    let mut out = Vec::with_capacity(samples.len() * 2 + 44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + data_len).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16_u32.to_le_bytes());
    out.extend_from_slice(&1_u16.to_le_bytes());
    out.extend_from_slice(&channels.to_le_bytes());
    out.extend_from_slice(&sample_rate.to_le_bytes());
    out.extend_from_slice(&(sample_rate * u32::from(frame_len)).to_le_bytes());
    out.extend_from_slice(&frame_len.to_le_bytes());
    out.extend_from_slice(&16_u16.to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data_len.to_le_bytes());
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    out
}

/// Samples of a function of time in seconds and channel, clipped to -1..=1.
fn render(
    sample_rate: u32,
    channels: u16,
    millis: u32,
    wave: impl Fn(f64, u16) -> f64,
) -> Vec<i16> {
    let frames = u64::from(sample_rate) * u64::from(millis) / 1_000;
    (0..frames)
        .flat_map(|frame| (0..channels).map(move |channel| (frame, channel)))
        .map(|(frame, channel)| {
            let value = wave(frame as f64 / f64::from(sample_rate), channel);
            (value.clamp(-1.0, 1.0) * f64::from(i16::MAX)) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_frequency_and_level() {
        let samples = sine(440.0, 0.5, 48_000, 1, 1_000);
        assert_eq!(samples.len(), 48_000);
        let rising = samples
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count();
        assert!((439..=440).contains(&rising), "{rising} periods");
        let peak = samples.iter().copied().max().unwrap_or(0);
        assert!((16_300..=16_384).contains(&peak), "peak {peak}");
    }

    #[test]
    fn music_repeats_with_its_seed_and_differs_between_channels() {
        let samples = music(5, 48_000, 2, 600);
        assert_eq!(samples, music(5, 48_000, 2, 600));
        assert_ne!(samples, music(6, 48_000, 2, 600));
        assert!(samples.chunks(2).any(|frame| frame[0] != frame[1]));
        assert!(samples.iter().any(|sample| sample.abs() > 3_000));
    }

    #[test]
    fn a_wave_file_says_how_long_it_is() {
        let file = wav(&[1, 2, 3, 4], 48_000, 2);
        assert_eq!((file.len(), &file[..4]), (52, b"RIFF".as_slice()));
        assert_eq!(file[40..44], 8_u32.to_le_bytes());
    }
}
