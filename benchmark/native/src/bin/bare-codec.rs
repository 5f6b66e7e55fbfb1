//! What libopus alone costs: `bare-codec WAV` encodes the samples of a 16-bit 48 kHz stereo WAV file in a
//! loop, built as the engine builds it, and prints `{"usPerFrame":…}` of this thread's CPU time.

use std::io;

use cadenza_audio::opus::Encoder;
use cadenza_audio::{EncoderSettings, FRAME_SAMPLES, MAX_OPUS_FRAME};
use rustix::time::{ClockId, clock_gettime};

const WAV_HEADER: usize = 44;
const CHANNELS: usize = 2;
const FRAME_BYTES: usize = FRAME_SAMPLES * CHANNELS * 2;
const MOST_FRAMES: usize = 3_000;

fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let wav = std::fs::read(path)?;
    let mut encoder = Encoder::new(&EncoderSettings::default()).map_err(io::Error::other)?;
    let mut out = [0; MAX_OPUS_FRAME];
    let mut pcm = [0.0; FRAME_SAMPLES * CHANNELS];
    let frames = wav.get(WAV_HEADER..).unwrap_or_default();
    let mut encoded = 0_u32;
    let began = cpu_ns();
    for frame in frames.chunks_exact(FRAME_BYTES).take(MOST_FRAMES) {
        for (sample, bytes) in pcm.iter_mut().zip(frame.chunks_exact(2)) {
            *sample = f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0;
        }
        encoder.encode(&pcm, &mut out).map_err(io::Error::other)?;
        encoded += 1;
    }
    let us = (cpu_ns() - began) as f64 / 1_000.0 / f64::from(encoded.max(1));
    io::Write::write_all(
        &mut io::stdout(),
        format!("{{\"usPerFrame\":{us:.3}}}\n").as_bytes(),
    )
}

fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
