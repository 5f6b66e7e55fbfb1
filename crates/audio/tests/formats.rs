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
    let length = info
        .duration_ms
        .unwrap_or_else(|| panic!("{name} has a length")) as f64;
    assert!(
        (length - seconds * 1000.0).abs() < 80.0,
        "{name}: {length} ms"
    );

    let heard = listen(&mut track).expect(name);
    let pcm = decode(&heard.packets);
    let (snr, lag) = best_snr(&wanted(0.1, seconds - 0.1, mono), &pcm[2 * 4_800..], 500);
    assert_eq!(lag, LOOKAHEAD, "{name}: the sound is shifted");
    assert!(snr >= 20.0, "{name}: {snr:.1} dB");
    let end = *heard.positions.last().expect("frames") as f64;
    assert!(
        (end - seconds * 1000.0).abs() < 30.0,
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
            lag.abs_diff(LOOKAHEAD) <= rounding,
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
    let mut track = match opened {
        Ok(track) => track,
        // An index behind the sound cannot be reached without seeking.
        Err(error) if name == "stereo-44100.m4a" => {
            assert_eq!(error.code().as_str(), "seek_failed");
            return;
        }
        Err(error) => panic!("{name} as a stream: {error}"),
    };
    let heard = listen(&mut track).expect(name);
    assert!(
        heard.packets.len().abs_diff(frames) <= 2,
        "{name} as a stream"
    );
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
