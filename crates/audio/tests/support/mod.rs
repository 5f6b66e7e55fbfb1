//! What the tests of whole tracks share: signals, WAV files, listening to a track, comparing sound.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use cadenza_audio::opus::{Decoder, Encoder, MAX_PACKET_SAMPLES};
use cadenza_audio::{
    AudioError, ByteSource, EncoderSettings, FRAME_SAMPLES, MAX_OPUS_FRAME, OpenOptions, ProbeHint,
    Track,
};

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
        for (channel, &want) in frame.iter().enumerate() {
            let Some(&sample) = heard.get(2 * (n + lag) + channel) else {
                continue;
            };
            let want = f64::from(want);
            signal += want * want;
            noise += (want - f64::from(sample)).powi(2);
        }
    }
    10.0 * (signal / noise.max(1e-12)).log10()
}

/// The best signal to noise ratio over lags up to `most`, and that lag.
pub fn best_snr(wanted: &[[f32; 2]], heard: &[f32], most: usize) -> (f64, usize) {
    // A tenth of a second tells which lags are worth a closer look.
    let front = &wanted[..wanted.len().min(4_800)];
    let mut lags: Vec<(f64, usize)> = (0..=most)
        .map(|lag| (snr_at(front, heard, lag), lag))
        .collect();
    lags.sort_by(|a, b| b.0.total_cmp(&a.0));
    lags.iter()
        .take(32)
        .map(|&(_, lag)| (snr_at(wanted, heard, lag), lag))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .expect("at least one lag")
}

/// One of the files that `scripts/make-audio-fixtures.sh` made.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The packets of the only stream of a well-formed Ogg file, headers included.
pub fn ogg_packets(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = vec![Vec::new()];
    let mut rest = bytes;
    while !rest.is_empty() {
        assert!(rest.starts_with(b"OggS"));
        let segments = usize::from(rest[26]);
        let (header, mut body) = rest.split_at(27 + segments);
        for &len in &header[27..] {
            let (segment, tail) = body.split_at(usize::from(len));
            packets
                .last_mut()
                .expect("one at least")
                .extend_from_slice(segment);
            if len < 255 {
                packets.push(Vec::new());
            }
            body = tail;
        }
        rest = body;
    }
    packets.pop();
    packets
}

/// Writes an Ogg Opus file: `packets` of `samples` each, `per_page` on a page, from granule `from`.
pub fn ogg_opus(serial: u32, packets: &[Vec<u8>], samples: i64, per_page: usize) -> Vec<u8> {
    let head = b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0".to_vec();
    let tags = b"OpusTags\x04\0\0\0test\0\0\0\0".to_vec();
    let mut out = ogg_page(serial, 0, 2, 0, &[head]);
    out.extend(ogg_page(serial, 1, 0, 0, &[tags]));
    let pages = packets.len().div_ceil(per_page);
    for (index, group) in packets.chunks(per_page).enumerate() {
        let granule = (index * per_page + group.len()) as i64 * samples;
        let flags = if index + 1 == pages { 4 } else { 0 };
        out.extend(ogg_page(serial, index as u32 + 2, flags, granule, group));
    }
    out
}

/// One page with whole packets.
pub fn ogg_page(
    serial: u32,
    sequence: u32,
    flags: u8,
    granule: i64,
    packets: &[Vec<u8>],
) -> Vec<u8> {
    let mut lacing = Vec::new();
    for packet in packets {
        lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
        lacing.push((packet.len() % 255) as u8);
    }
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(serial.to_le_bytes());
    page.extend(sequence.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(lacing.len()).expect("at most 255 segments"));
    page.extend(lacing);
    page.extend(packets.concat());
    let crc = page.iter().fold(0_u32, |crc, &byte| {
        (0..8).fold(crc ^ (u32::from(byte) << 24), |crc, _| {
            if crc & 0x8000_0000 != 0 {
                (crc << 1) ^ 0x04C1_1DB7
            } else {
                crc << 1
            }
        })
    });
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    page
}

/// Encodes the chord: 20 ms packets at 96 kbit/s, beginning at `from` seconds.
pub fn music_packets(from: f64, count: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&EncoderSettings {
        bitrate: 96_000,
        ..Default::default()
    })
    .expect("an encoder");
    (0..count)
        .map(|packet| {
            let mut pcm = [0.0; 2 * FRAME_SAMPLES];
            for (n, frame) in pcm.chunks_exact_mut(2).enumerate() {
                let sample = (packet * FRAME_SAMPLES + n) as f64;
                frame.copy_from_slice(&music_at(from + sample / 48_000.0));
            }
            let mut out = [0; MAX_OPUS_FRAME];
            let len = encoder.encode(&pcm, &mut out).expect("encodes");
            out[..len].to_vec()
        })
        .collect()
}

/// A source that can only be read from front to back.
pub struct Stream(pub Cursor<Vec<u8>>);

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = out.len().min(777);
        self.0.read(&mut out[..room])
    }
}

impl Seek for Stream {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        panic!("a source that is not seekable was asked to seek");
    }
}

impl ByteSource for Stream {
    fn is_seekable(&self) -> bool {
        false
    }

    fn byte_len(&self) -> Option<u64> {
        None
    }
}
