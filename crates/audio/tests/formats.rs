//! Every decoded format: what is heard is what was put in, from the beginning and from the middle.

mod support;

use std::io::Cursor;

use cadenza_audio::{OpenOptions, ProbeHint, Track};
use support::{Stream, best_snr, decode, fixture, listen, music_at, open, play};

/// By how much libopus delays the sound, in samples.
const LOOKAHEAD: usize = 312;

fn wanted(from: f64, to: f64, mono: bool) -> Vec<[f32; 2]> {
    let count = ((to - from) * 48_000.0) as usize;
    (0..count)
        .map(|n| music_at(from + n as f64 / 48_000.0))
        .map(|frame| if mono { [frame[0]; 2] } else { frame })
        .collect()
}

/// Plays a file whole and from the middle; the sound must lie where the formula puts it.
fn check(name: &str, container: &str, codec: &str, seconds: f64) {
    check_shifted(name, container, codec, seconds, 0);
}

/// As [`check`], for files that cannot say what their encoder put in front: `shift` samples of it.
fn check_shifted(name: &str, container: &str, codec: &str, seconds: f64, shift: usize) {
    let expected_lag = LOOKAHEAD + shift;
    let bytes = fixture(name);
    let mut track = open(&bytes, &OpenOptions::default()).expect(name);
    let info = track.info().clone();
    assert_eq!(
        (info.container, info.codec, info.passthrough),
        (container, codec, false),
        "{name}"
    );
    let mono = name.starts_with("mono");
    assert_eq!(info.channels, if mono { 1 } else { 2 }, "{name}");
    match info.duration_ms {
        Some(length) => assert!(
            (length as f64 - seconds * 1000.0).abs() < 80.0,
            "{name}: {length} ms"
        ),
        None => assert!(
            name.contains("fragmented") || container == "mpegts",
            "{name} has a length"
        ),
    }

    let heard = listen(&mut track).expect(name);
    let pcm = decode(&heard.packets);
    let most = expected_lag + 200;
    let (snr, lag) = best_snr(&wanted(0.1, seconds - 0.1, mono), &pcm[2 * 4_800..], most);
    assert_eq!(lag, expected_lag, "{name}: the sound is shifted");
    assert!(snr >= 20.0, "{name}: {snr:.1} dB");
    let end = *heard.positions.last().expect("frames") as f64;
    assert!(
        (end - seconds * 1000.0 - shift as f64 / 48.0).abs() < 30.0,
        "{name}: ends at {end} ms"
    );

    for place in [seconds * 0.6, seconds * 0.25, 0.0] {
        let place = (place * 1000.0) as u64;
        assert_eq!(track.seek(place).expect(name), place, "{name}");
        let heard = listen(&mut track).expect(name);
        let from = place as f64 / 1000.0 + 0.05;
        let pcm = decode(&heard.packets);
        let (snr, lag) = best_snr(
            &wanted(from, seconds - 0.05, mono),
            &pcm[2 * 2_400..],
            3_000,
        );
        // Matroska states time in milliseconds, and Vorbis packets have no grid to round to.
        let rounding = if container == "webm" { 2 * 48 } else { 0 };
        assert!(
            lag.abs_diff(expected_lag) <= rounding,
            "{name} from {place} ms: shifted to {lag}"
        );
        assert!(snr >= 18.0, "{name} from {place} ms: {snr:.1} dB");
    }
    check_stream(name, &bytes, heard.packets.len());
}

/// The same file from a source that cannot seek.
fn check_stream(name: &str, bytes: &[u8], frames: usize) {
    let source = Box::new(Stream(Cursor::new(bytes.to_vec())));
    let opened = Track::open(source, &ProbeHint::default(), &OpenOptions::default());
    let mut track = opened.unwrap_or_else(|error| panic!("{name} as a stream: {error}"));
    let heard = listen(&mut track).expect(name);
    assert!(
        heard.packets.len().abs_diff(frames) <= 2,
        "{name} as a stream"
    );
    if name == "stereo-44100.m4a" || name.ends_with(".caf") {
        // Their index is behind the sound: the whole file is held in memory.
        assert!(track.info().seekable);
        assert_eq!(track.seek(100).expect(name), 100);
        return;
    }
    let error = track.seek(100).expect_err("cannot go back");
    assert_eq!(error.code().as_str(), "seek_failed", "{name}");
}

#[test]
fn mp3() {
    check("stereo-44100.mp3", "mp3", "mp3", 2.0);
    check("mono-48000.mp3", "mp3", "mp3", 2.0);
}

#[test]
fn flac() {
    check("mono-44100.flac", "flac", "flac", 1.0);
    check("stereo-48000.flac", "flac", "flac", 0.4);
}

#[test]
fn ogg_vorbis() {
    check("stereo-44100.ogg", "ogg", "vorbis", 2.0);
    check("mono-48000.ogg", "ogg", "vorbis", 2.0);
}

#[test]
fn m4a() {
    check("stereo-44100.m4a", "mp4", "aac", 2.0);
    check("stereo-48000-faststart.m4a", "mp4", "aac", 2.0);
}

#[test]
fn vorbis_in_webm() {
    check("stereo-vorbis.webm", "webm", "vorbis", 2.0);
}

#[test]
fn flac_in_matroska() {
    check("mono-44100-flac.mka", "webm", "flac", 0.6);
}

#[test]
fn caf() {
    check("mono-44100.caf", "caf", "alac", 0.6);
    check("mono-32000-pcm.caf", "caf", "pcm", 0.4);
}

#[test]
fn wav_with_lengths_of_64_bits() {
    check("mono-32000-64bit.wav", "wav", "pcm", 0.4);
    let mut bytes = fixture("mono-32000-64bit.wav");
    bytes[..4].copy_from_slice(b"BW64");
    let as_bw64 = play(&bytes, &OpenOptions::default()).expect("it plays");
    // More than 4 GiB by its own account: it ends where the file does.
    bytes[28 + 4] = 1;
    let endless = play(&bytes, &OpenOptions::default()).expect("it plays");
    assert_eq!(as_bw64.packets.len(), endless.packets.len());
}

#[test]
fn adpcm() {
    check("mono-32000-ima.wav", "wav", "adpcm", 1.0);
    check("mono-32000-ms.wav", "wav", "adpcm", 1.0);
}

#[test]
fn mpeg_layer_ii() {
    check_shifted("stereo-48000.mp2", "mp2", "mp2", 0.8, 481);
}

#[test]
fn transport_streams() {
    check_shifted("stereo-44100.ts", "mpegts", "aac", 1.0, 1_115);
    check_shifted("stereo-48000-layer2.ts", "mpegts", "mp2", 0.8, 481);
}

#[test]
fn a_length_in_front_of_something_endless_is_not_believed() {
    let bytes = fixture("stereo-44100.mp3");
    let whole = play(&bytes, &OpenOptions::default()).expect("it plays");
    // A station that sends a file's beginning, and much more than that says.
    let on_air = [&bytes[..], &bytes[..], &bytes[..]].concat();
    let options = OpenOptions {
        ignore_length: true,
        ..OpenOptions::default()
    };
    let source = Box::new(Stream(Cursor::new(on_air)));
    let mut track = Track::open(source, &ProbeHint::default(), &options).expect("it opens");
    assert_eq!(track.info().duration_ms, None);
    let heard = listen(&mut track).expect("it plays");
    assert!(heard.packets.len() >= 3 * whole.packets.len() - 3);
}

#[test]
fn ogg_flac() {
    check("mono-48000.oga", "ogg", "flac", 1.0);
}

#[test]
fn alac() {
    check("mono-44100-alac.m4a", "mp4", "alac", 0.6);
}

#[test]
fn aiff() {
    check("mono-44100.aiff", "aiff", "pcm", 0.4);
}

#[test]
fn adts() {
    // The encoder's 1,024 samples of priming, at 44.1 kHz; ADTS has no place to tell of them.
    check_shifted("stereo-44100.aac", "adts", "aac", 2.0, 1_115);
}

#[test]
fn fragmented_mp4() {
    check("stereo-44100-fragmented.mp4", "mp4", "aac", 2.0);
}

/// How strong a tone is in one ear, by projection.
fn tone(pcm: &[f32], ear: usize, hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    let frames = pcm.chunks_exact(2).skip(4_800).take(36_000);
    for (n, frame) in frames.enumerate() {
        let phase = 2.0 * std::f64::consts::PI * hertz * n as f64 / 48_000.0;
        re += f64::from(frame[ear]) * phase.cos();
        im += f64::from(frame[ear]) * phase.sin();
    }
    2.0 * re.hypot(im) / 36_000.0
}

#[test]
fn surround_opus_is_mixed_to_stereo() {
    for name in ["surround.opus", "surround.webm"] {
        let bytes = fixture(name);
        let mut track = open(&bytes, &OpenOptions::default()).expect(name);
        let info = track.info().clone();
        assert_eq!(
            (info.codec, info.passthrough, info.channels),
            ("opus", false, 6)
        );
        let pcm = decode(&listen(&mut track).expect(name).packets);
        // Left, right, centre, bass, left and right surround: 0.4 each, scaled by 1 / 2.414.
        let full = 0.4 / 2.414;
        let side = full * std::f64::consts::FRAC_1_SQRT_2;
        for (hertz, left, right) in [
            (300.0, full, 0.0),
            (500.0, 0.0, full),
            (700.0, side, side),
            (60.0, 0.0, 0.0),
            (1100.0, side, 0.0),
            (1300.0, 0.0, side),
        ] {
            for (ear, want) in [(0, left), (1, right)] {
                let heard = tone(&pcm, ear, hertz);
                assert!(
                    (heard - want).abs() < 0.02,
                    "{name}: {hertz} Hz in ear {ear} is {heard:.3}, not {want:.3}"
                );
            }
        }
        assert_eq!(track.seek(500).expect(name), 500);
        let rest = listen(&mut track).expect(name).packets.len();
        assert!(
            (25..=27).contains(&rest),
            "{name}: {rest} frames after 500 ms"
        );
    }
}

#[test]
fn a_wrong_name_does_not_matter() {
    let hint = ProbeHint {
        extension: Some("wav".into()),
        mime: Some("video/mp4".into()),
    };
    let source = Box::new(Cursor::new(fixture("stereo-44100.mp3")));
    let track = Track::open(source, &hint, &OpenOptions::default()).expect("opens");
    assert_eq!(track.info().codec, "mp3");
}

#[test]
fn an_end_in_source_time_is_kept() {
    for name in [
        "stereo-44100.mp3",
        "stereo-44100.ogg",
        "stereo-44100.m4a",
        "mono-44100.flac",
    ] {
        let options = OpenOptions {
            start_ms: 300,
            end_ms: Some(800),
            ..OpenOptions::default()
        };
        let heard = play(&fixture(name), &options).expect(name);
        assert_eq!(heard.positions.last(), Some(&800), "{name}");
        assert_eq!(
            heard.packets.len(),
            (500_usize * 48 + LOOKAHEAD).div_ceil(960),
            "{name}"
        );
    }
}
