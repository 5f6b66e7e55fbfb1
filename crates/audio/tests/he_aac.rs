//! HE-AAC plays as ffmpeg plays it, seeks, and AAC-LC is never taken for it.

mod support;

use cadenza_audio::{AudioErrorCode, OpenOptions};
use support::{best_snr, decode, fixture, listen, music_at, open, play, snr_at};

/// The chord between two moments, in seconds.
fn wanted(from: f64, to: f64) -> Vec<[f32; 2]> {
    let count = ((to - from) * 48_000.0) as usize;
    (0..count)
        .map(|n| music_at(from + n as f64 / 48_000.0))
        .collect()
}

/// The power of one channel between two frequencies in dB, over the second that begins at half a second.
fn level(pcm: &[f32], channel: usize, from: f64, to: f64) -> f64 {
    const BLOCK: usize = 960;
    let second: Vec<f64> = pcm[2 * 24_000..2 * 72_000]
        .chunks(2)
        .map(|frame| f64::from(frame[channel]))
        .collect();
    let turn = std::f64::consts::TAU / BLOCK as f64;
    let circle: Vec<(f64, f64)> = (0..BLOCK).map(|n| (turn * n as f64).sin_cos()).collect();
    let window: Vec<f64> = circle.iter().map(|(_, cos)| 0.5 - 0.5 * cos).collect();
    let mut power = 0.0;
    for block in second.chunks_exact(BLOCK) {
        for bin in (from / 50.0) as usize..(to / 50.0) as usize {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, (sample, window)) in block.iter().zip(&window).enumerate() {
                let (sin, cos) = circle[bin * n % BLOCK];
                re += sample * window * cos;
                im += sample * window * sin;
            }
            power += re * re + im * im;
        }
    }
    let blocks = (second.len() / BLOCK) as f64;
    // The window takes 3/8 of the power, and half of it lies at negative frequencies.
    10.0 * (power / blocks / (BLOCK * BLOCK) as f64 * 2.0 * 8.0 / 3.0).log10()
}

/// Levels in dB that ffmpeg 5.1 gives: left and right from 100 Hz to 5 kHz, left from 6 to 9 kHz and from 10 to 13 kHz.
fn check_levels(name: &str, expected: [f64; 4]) {
    let heard = play(&fixture(name), &OpenOptions::default()).expect(name);
    let pcm = decode(&heard.packets);
    let measured = [
        level(&pcm, 0, 100.0, 5_000.0),
        level(&pcm, 1, 100.0, 5_000.0),
        level(&pcm, 0, 6_000.0, 9_000.0),
        level(&pcm, 0, 10_000.0, 13_000.0),
    ];
    // What Opus does to noise is the wider of the two tolerances.
    for (index, tolerance) in [0.3, 0.3, 2.0, 2.0].into_iter().enumerate() {
        let off = (measured[index] - expected[index]).abs();
        assert!(
            off < tolerance,
            "{name}: {measured:.2?}, expected {expected:.2?}"
        );
    }
    let silent = level(&pcm, 1, 6_000.0, 13_000.0);
    assert!(silent < -60.0, "{name}: {silent:.1} dB on the silent side");
}

#[test]
fn the_upper_half_is_there_as_loud_as_elsewhere() {
    // With its configuration in the container; one channel that is made two, as a radio stream.
    check_levels("he-stereo-44100.m4a", [-16.62, -16.65, -46.24, -47.19]);
    check_levels("he-v2-44100.aac", [-17.71, -18.47, -47.84, -46.53]);
}

#[test]
fn band_replication_plays_and_seeks_by_time() {
    let name = "he-stereo-44100.aac";
    let mut track = open(&fixture(name), &OpenOptions::default()).expect(name);
    let info = track.info().clone();
    assert_eq!(
        (info.container, info.codec, info.sample_rate, info.channels),
        ("adts", "aac", 44_100, 2)
    );
    let length = info.duration_ms.expect("it has a length");
    assert!(length.abs_diff(2_136) < 80, "{length} ms");
    let heard = listen(&mut track).expect(name);
    let end = *heard.positions.last().expect("frames");
    assert!(end.abs_diff(2_136) < 30, "ends at {end} ms");
    let pcm = decode(&heard.packets);
    // The encoder's delay, and that of Opus.
    let (_, shift) = best_snr(&wanted(0.2, 0.3), &pcm[2 * 9_600..], 7_000);
    let snr = snr_at(&wanted(0.2, 1.8), &pcm[2 * 9_600..], shift);
    assert!(snr >= 15.0, "{snr:.1} dB");
    for place in [1_200, 400, 0] {
        assert_eq!(track.seek(place).expect(name), place);
        let heard = listen(&mut track).expect(name);
        let from = place as f64 / 1000.0 + 0.1;
        let pcm = decode(&heard.packets);
        let snr = snr_at(&wanted(from, 1.8), &pcm[2 * 4_800..], shift);
        assert!(snr >= 15.0, "from {place} ms: {snr:.1} dB");
    }
}

#[test]
fn damaged_band_replication_costs_its_packets_alone() {
    let whole = fixture("he-stereo-44100.aac");
    let mut damaged = whole.clone();
    // The bodies of packets in the middle; the headers are left, so that their lengths are.
    let mut at = 0;
    let mut index = 0;
    while at + 7 < damaged.len() {
        let head = &damaged[at..at + 7];
        let len =
            usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
        if (20..24).contains(&index) {
            damaged[at + 7..at + len].fill(0xA5);
        }
        (at, index) = (at + len, index + 1);
    }
    let options = OpenOptions::default();
    let (good, bad) = (play(&whole, &options), play(&damaged, &options));
    let (good, bad) = (good.expect("it plays"), bad.expect("it plays on"));
    assert!(good.packets.len().abs_diff(bad.packets.len()) < 12);
    for cut in [1, 100, 5_000] {
        let _ = play(&whole[..cut], &options);
    }
}

/// ADTS frames with a fill element of band replication put before the end of each.
fn with_sbr(adts: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = adts;
    while rest.len() > 7 {
        let len =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5] >> 5);
        let (frame, next) = rest.split_at(len);
        rest = next;
        let header = if frame[1] & 1 == 1 { 7 } else { 9 };
        let body = extended(&frame[header..]);
        let total = header + body.len();
        let mut start = frame[..header].to_vec();
        start[3] = start[3] & !3 | (total >> 11) as u8;
        start[4] = (total >> 3) as u8;
        start[5] = start[5] & 0x1F | ((total & 7) << 5) as u8;
        out.extend(start);
        out.extend(body);
    }
    out
}

fn extended(body: &[u8]) -> Vec<u8> {
    let mut bits: Vec<u8> = body
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1))
        .collect();
    while bits.last() == Some(&0) {
        bits.pop();
    }
    assert!(bits.ends_with(&[1, 1, 1]), "a frame ends with its end");
    bits.truncate(bits.len() - 3);
    bits.extend([1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1]);
    bits.extend([0; 20]);
    bits.extend([1, 1, 1]);
    let bytes = bits.chunks(8);
    bytes
        .map(|byte| byte.iter().fold(0, |value, bit| value << 1 | bit) << (8 - byte.len()))
        .collect()
}

/// Fine, or an error about the sound; never anything else.
fn check_harmless(bytes: &[u8], what: &str) {
    let played = open(bytes, &OpenOptions::default()).and_then(|mut track| listen(&mut track));
    if let Err(error) = played {
        let code = error.code();
        let known = [
            AudioErrorCode::UnsupportedCodec,
            AudioErrorCode::MalformedMedia,
        ];
        assert!(known.contains(&code), "{what}: {error}");
    }
}

#[test]
fn band_replication_that_says_nothing_is_harmless() {
    check_harmless(&with_sbr(&fixture("stereo-44100.aac")), "empty elements");
}

#[test]
fn plain_aac_plays_on() {
    for name in [
        "stereo-44100.aac",
        "stereo-44100.m4a",
        "stereo-44100-fragmented.mp4",
    ] {
        let heard = play(&fixture(name), &OpenOptions::default()).expect("it plays");
        assert!(heard.packets.len() > 20, "{name}");
    }
}

/// An MP4 file with another audio specific configuration of 5 bytes in the place of its own.
fn with_config(mp4: &[u8], config: [u8; 5]) -> Vec<u8> {
    // AAC-LC, 44.1 kHz, stereo, and at the end that there is no band replication.
    let own = [0x12, 0x10, 0x56, 0xE5, 0x00];
    let at = mp4.windows(5).position(|bytes| bytes == own);
    let at = at.expect("a file with this configuration");
    let mut changed = mp4.to_vec();
    changed[at..at + 5].copy_from_slice(&config);
    changed
}

#[test]
fn containers_that_announce_it_falsely_are_harmless() {
    for (name, config) in [
        ("announced behind AAC-LC", [0x12, 0x10, 0x56, 0xE5, 0x80]),
        // 00101 0111 0010 0100 00010 000: SBR at 22.05 over AAC-LC.
        ("band replication", [0x2B, 0x92, 0x08, 0x00, 0x00]),
        // 11101 0111 0001 0100 00010 000: the same with one channel that is made two.
        ("parametric stereo", [0xEB, 0x8A, 0x08, 0x00, 0x00]),
    ] {
        for file in ["stereo-44100.m4a", "stereo-44100-fragmented.mp4"] {
            let bytes = with_config(&fixture(file), config);
            check_harmless(&bytes, &format!("{file}, {name}"));
        }
    }
}
