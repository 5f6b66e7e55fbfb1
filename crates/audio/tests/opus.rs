//! Opus that passes through, is re-framed, or has to be decoded after all.

mod support;

use std::io::Cursor;

use cadenza_audio::opus::packet_samples;
use cadenza_audio::{OpenOptions, ProbeHint, Track};
use support::{
    Stream, best_snr, decode, fixture, listen, music_at, music_packets, ogg_opus, ogg_packets,
    open, play,
};

fn wanted(from: f64, to: f64) -> Vec<[f32; 2]> {
    let count = ((to - from) * 48_000.0) as usize;
    (0..count)
        .map(|n| music_at(from + n as f64 / 48_000.0))
        .collect()
}

fn check_golden(name: &str, original: &str, container: &str) {
    let packets = ogg_packets(&fixture(original)).split_off(2);
    let mut track = open(&fixture(name), &OpenOptions::default()).expect(name);
    let info = track.info().clone();
    assert_eq!(
        (info.container, info.codec, info.passthrough),
        (container, "opus", true),
        "{name}"
    );
    let heard = listen(&mut track).expect(name);
    assert_eq!(heard.packets, packets, "{name}: bit for bit");
    // The first packet begins 6.5 ms before the sound does.
    assert_eq!(heard.positions[..3], [13, 33, 53], "{name}");
    let length = info.duration_ms.expect("a length");
    assert!(
        heard.positions.last().expect("frames").abs_diff(length) <= 20,
        "{name}: {length}"
    );

    for place in [800, 333, 500, 0, 20] {
        let begins = track.seek(place).expect(name);
        assert!(
            begins <= place && place <= begins + 20,
            "{name}: {begins} for {place}"
        );
        let heard = listen(&mut track).expect(name);
        assert_eq!(
            heard.packets,
            packets[packets.len() - heard.packets.len()..],
            "{name}"
        );
        assert_eq!(
            heard.packets.len(),
            packets.len() - (place as usize * 48 + 312) / 960,
            "{name}"
        );
    }
}

#[test]
fn twenty_milliseconds_pass_bit_for_bit() {
    check_golden("stereo-20ms.opus", "stereo-20ms.opus", "ogg");
    check_golden("mono-20ms.opus", "mono-20ms.opus", "ogg");
    check_golden("stereo-20ms.webm", "stereo-20ms.opus", "webm");
    check_golden("mono-20ms.mka", "mono-20ms.opus", "webm");
    check_golden("stereo-20ms.mp4", "stereo-20ms.opus", "mp4");
}

#[test]
fn streams_pass_too() {
    for name in ["stereo-20ms.opus", "stereo-20ms.webm"] {
        let source = Box::new(Stream(Cursor::new(fixture(name))));
        let options = OpenOptions {
            start_ms: 300,
            ..OpenOptions::default()
        };
        let mut track = Track::open(source, &ProbeHint::default(), &options).expect(name);
        let packets = ogg_packets(&fixture("stereo-20ms.opus")).split_off(2);
        assert_eq!(
            listen(&mut track).expect(name).packets,
            packets[15..],
            "{name}"
        );
        assert_eq!(
            track.seek(100).expect_err("cannot go back").code().as_str(),
            "seek_failed"
        );
    }
}

#[test]
fn an_end_is_kept_to_the_frame() {
    let options = OpenOptions {
        start_ms: 200,
        end_ms: Some(600),
        ..OpenOptions::default()
    };
    for name in ["stereo-20ms.opus", "stereo-20ms.webm"] {
        let heard = play(&fixture(name), &options).expect(name);
        assert_eq!(heard.positions.last(), Some(&600), "{name}");
        let packets = ogg_packets(&fixture("stereo-20ms.opus")).split_off(2);
        let (from, to) = ((200 * 48 + 312) / 960, (600_usize * 48 + 312).div_ceil(960));
        assert_eq!(heard.packets, packets[from..to], "{name}");
    }
}

#[test]
fn other_durations_become_twenty_milliseconds() {
    for name in ["stereo-10ms.opus", "stereo-60ms.opus"] {
        let mut track = open(&fixture(name), &OpenOptions::default()).expect(name);
        assert!(track.info().passthrough, "{name}");
        let heard = listen(&mut track).expect(name);
        assert!(
            heard
                .packets
                .iter()
                .all(|packet| packet_samples(packet) == Ok(960)),
            "{name}"
        );
        // Merged or split, the decoder hears the very same frames.
        let before = decode(&ogg_packets(&fixture(name)).split_off(2));
        let after = decode(&heard.packets);
        let common = before.len().min(after.len());
        assert_eq!(before[..common], after[..common], "{name}");
        assert!(before.len().abs_diff(after.len()) <= 2 * 1920, "{name}");
        let seconds = if name.contains("10ms") { 1.0 } else { 1.2 };
        let (snr, _) = best_snr(&wanted(0.1, seconds - 0.1), &after[2 * 4_800..], 700);
        assert!(snr >= 15.0, "{name}: {snr:.1} dB");
    }
}

#[test]
fn long_frames_are_decoded() {
    let mut track = open(&fixture("mono-60ms-voice.opus"), &OpenOptions::default()).expect("opens");
    assert!(!track.info().passthrough);
    let heard = listen(&mut track).expect("plays");
    assert!(
        heard
            .packets
            .iter()
            .all(|packet| packet_samples(packet) == Ok(960))
    );
    assert_eq!(heard.positions.last(), Some(&2_000));
    assert_eq!(track.seek(1_000).expect("seeks"), 1_000);
    assert_eq!(
        listen(&mut track).expect("plays").positions.last(),
        Some(&2_000)
    );
    let source = Box::new(Stream(Cursor::new(fixture("mono-60ms-voice.opus"))));
    let mut stream =
        Track::open(source, &ProbeHint::default(), &OpenOptions::default()).expect("opens");
    assert_eq!(
        listen(&mut stream).expect("plays").packets.len(),
        heard.packets.len()
    );
}

#[test]
fn opus_can_be_decoded_on_demand() {
    let options = OpenOptions {
        force_transcode: true,
        start_ms: 250,
        ..OpenOptions::default()
    };
    for name in ["stereo-20ms.opus", "stereo-20ms.webm", "stereo-20ms.mp4"] {
        let heard = play(&fixture(name), &options).expect(name);
        let pcm = decode(&heard.packets);
        let (snr, lag) = best_snr(&wanted(0.3, 1.1), &pcm[2 * 2_400..], 1_000);
        assert_eq!(lag, 312, "{name}");
        assert!(snr >= 15.0, "{name}: {snr:.1} dB");
    }
}

#[test]
fn a_gain_in_the_header_is_heard() {
    let mut bytes = ogg_opus(7, &music_packets(0.0, 50), 960, 10);
    let plain = decode(
        &play(&bytes, &OpenOptions::default())
            .expect("plays")
            .packets,
    );
    // 6 dB down, and the header page's checksum with it.
    let head = b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\xFA\0".to_vec();
    let page = support::ogg_page(7, 0, 2, 0, &[[&head[..16], &[0, 0xFA, 0]].concat()]);
    bytes[..page.len()].copy_from_slice(&page);
    let mut track = open(&bytes, &OpenOptions::default()).expect("opens");
    assert!(!track.info().passthrough);
    let quiet = decode(&listen(&mut track).expect("plays").packets);
    let level = |pcm: &[f32]| pcm.iter().map(|&x| f64::from(x * x)).sum::<f64>().sqrt();
    let ratio = level(&quiet) / level(&plain);
    assert!((ratio - 0.501).abs() < 0.03, "{ratio}");
}

#[test]
fn chained_streams_play_one_after_the_other() {
    let (first, second) = (music_packets(0.0, 40), music_packets(1.0, 30));
    let bytes = [ogg_opus(1, &first, 960, 7), ogg_opus(2, &second, 960, 7)].concat();
    let mut track = open(&bytes, &OpenOptions::default()).expect("opens");
    // Each link loses its pre-skip of 312 samples.
    assert_eq!(track.info().duration_ms, Some((70 * 960 - 2 * 312) / 48));
    let all = [first.clone(), second.clone()].concat();
    assert_eq!(listen(&mut track).expect("plays").packets, all);
    let begins = track.seek(1_000).expect("seeks into the second link");
    assert!(begins <= 1_000 && begins > 980, "{begins}");
    assert_eq!(listen(&mut track).expect("plays").packets, all[50..]);
    track.seek(0).expect("seeks back");
    assert_eq!(listen(&mut track).expect("plays").packets, all);
    let source = Box::new(Stream(Cursor::new(bytes)));
    let mut stream =
        Track::open(source, &ProbeHint::default(), &OpenOptions::default()).expect("opens");
    assert_eq!(listen(&mut stream).expect("plays").packets, all);
}

#[test]
fn a_long_file_is_sought_without_reading_it_whole() {
    let packets: Vec<Vec<u8>> = (0..30_000_u32)
        .map(|n| [&[0xFC, 1][..], &n.to_le_bytes(), &[7; 150]].concat())
        .collect();
    let mut track = open(&ogg_opus(9, &packets, 960, 50), &OpenOptions::default()).expect("opens");
    assert_eq!(track.info().duration_ms, Some((30_000 * 960 - 312) / 48));
    for place in [599_000, 1_000, 300_007, 300_000, 10, 599_993] {
        let begins = track.seek(place).expect("seeks");
        assert!(
            begins <= place && place <= begins + 20,
            "{begins} for {place}"
        );
        let mut out = [0; 1275];
        let frame = track.next_frame(&mut out).expect("plays").expect("a frame");
        let number = u32::from_le_bytes([out[2], out[3], out[4], out[5]]);
        assert_eq!(u64::from(number), (place * 48 + 312) / 960, "at {place}");
        assert_eq!(frame.position_ms, (u64::from(number + 1) * 960 - 312) / 48);
    }
}

#[test]
fn a_damaged_page_costs_itself_only() {
    let packets = music_packets(0.0, 60);
    let mut bytes = ogg_opus(3, &packets, 960, 10);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    let heard = play(&bytes, &OpenOptions::default()).expect("plays");
    assert_eq!(heard.packets.len(), 50);
    assert_eq!(heard.positions.last(), Some(&1_193));
}
