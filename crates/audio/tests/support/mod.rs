//! What the tests of whole tracks share: signals, WAV files, listening to a track, comparing sound.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::Cursor;

use cadenza_audio::opus::{Decoder, MAX_PACKET_SAMPLES};
use cadenza_audio::{AudioError, MAX_OPUS_FRAME, OpenOptions, ProbeHint, Track};

/// A track's frames.
pub struct Heard {
    pub packets: Vec<Vec<u8>>,
    pub positions: Vec<u64>,
}

pub fn open(bytes: &[u8], options: &OpenOptions) -> Result<Track, AudioError> {
    Track::open(
        Box::new(Cursor::new(bytes.to_vec())),
        &ProbeHint::default(),
        options,
    )
}

pub fn listen(track: &mut Track) -> Result<Heard, AudioError> {
    let mut heard = Heard {
        packets: Vec::new(),
        positions: Vec::new(),
    };
    let mut out = [0; MAX_OPUS_FRAME];
    while let Some(frame) = track.next_frame(&mut out)? {
        heard.packets.push(out[..frame.len].to_vec());
        heard.positions.push(frame.position_ms);
        assert!(heard.packets.len() < 100_000, "a track without an end");
    }
    Ok(heard)
}

pub fn play(bytes: &[u8], options: &OpenOptions) -> Result<Heard, AudioError> {
    listen(&mut open(bytes, options)?)
}

/// Decodes packets to interleaved stereo.
pub fn decode(packets: &[Vec<u8>]) -> Vec<f32> {
    let mut decoder = Decoder::new(0).expect("a decoder");
    let mut pcm = [0.0; MAX_PACKET_SAMPLES * 2];
    let mut out = Vec::new();
    for packet in packets {
        let samples = decoder.decode(packet, &mut pcm).expect("a valid packet");
        out.extend_from_slice(&pcm[..2 * samples]);
    }
    out
}

/// A chord that swells and moves, the same at every rate: what `make-audio-fixtures.sh` makes too.
pub fn music(rate: u32, seconds: f64) -> Vec<[f32; 2]> {
    let count = (f64::from(rate) * seconds).round() as usize;
    (0..count)
        .map(|n| music_at(n as f64 / f64::from(rate)))
        .collect()
}

/// The chord at one moment, in seconds.
pub fn music_at(t: f64) -> [f32; 2] {
    let tone = |hertz: f64| (2.0 * std::f64::consts::PI * hertz * t).sin();
    let swell = 0.6 + 0.4 * tone(1.5);
    let left = swell * (0.30 * tone(220.0) + 0.15 * tone(440.0) + 0.08 * tone(1_320.0))
        + 0.05 * tone(3_520.0);
    let right = swell * (0.30 * tone(277.2) + 0.15 * tone(554.4) + 0.08 * tone(1_663.2))
        + 0.05 * tone(4_434.9);
    [left as f32, right as f32]
}

/// A 16-bit WAV file; `channels` is 1 (left only) or 2.
pub fn wav(rate: u32, channels: u16, frames: &[[f32; 2]]) -> Vec<u8> {
    let data: Vec<u8> = frames
        .iter()
        .flat_map(|frame| frame[..usize::from(channels)].to_vec())
        .flat_map(|sample| ((sample * 32_767.0).round() as i16).to_le_bytes())
        .collect();
    let mut out = wav_header(rate, channels, data.len() as u32);
    out.extend(data);
    out
}

/// The 44 bytes before `data_len` bytes of 16-bit samples.
pub fn wav_header(rate: u32, channels: u16, data_len: u32) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(b"RIFF");
    out.extend(data_len.saturating_add(36).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * u32::from(channels) * 2).to_le_bytes());
    out.extend((channels * 2).to_le_bytes());
    out.extend(16_u16.to_le_bytes());
    out.extend(b"data");
    out.extend(data_len.to_le_bytes());
    out
}

/// Signal to noise in dB of stereo `heard` against `wanted`, when `heard` lags by `lag` samples.
pub fn snr_at(wanted: &[[f32; 2]], heard: &[f32], lag: usize) -> f64 {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (n, frame) in wanted.iter().enumerate() {
        for channel in 0..2 {
            let Some(&sample) = heard.get(2 * (n + lag) + channel) else {
                continue;
            };
            let want = f64::from(frame[channel]);
            signal += want * want;
            noise += (want - f64::from(sample)).powi(2);
        }
    }
    10.0 * (signal / noise.max(1e-12)).log10()
}

/// The best signal to noise ratio over lags up to `most`, and that lag.
pub fn best_snr(wanted: &[[f32; 2]], heard: &[f32], most: usize) -> (f64, usize) {
    (0..=most)
        .map(|lag| (snr_at(wanted, heard, lag), lag))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .expect("at least one lag")
}
