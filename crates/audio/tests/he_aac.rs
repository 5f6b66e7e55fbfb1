//! HE-AAC is refused by name, and AAC-LC never taken for it.

mod support;

use cadenza_audio::{AudioErrorCode, OpenOptions};
use support::{fixture, listen, open, play};

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

#[test]
fn a_stream_with_band_replication_ends_with_an_error_that_names_it() {
    let bytes = with_sbr(&fixture("stereo-44100.aac"));
    let error = open(&bytes, &OpenOptions::default())
        .and_then(|mut track| listen(&mut track))
        .err()
        .expect("it is refused");
    assert_eq!(error.code(), AudioErrorCode::UnsupportedCodec);
    assert!(error.to_string().contains("HE-AAC"), "{error}");
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
fn containers_that_announce_band_replication_are_refused_before_any_sound() {
    for (name, config) in [
        ("announced behind AAC-LC", [0x12, 0x10, 0x56, 0xE5, 0x80]),
        // 00101 0111 0010 0100 00010 000: SBR at 22.05 over AAC-LC.
        ("band replication", [0x2B, 0x92, 0x08, 0x00, 0x00]),
        // 11101 0111 0001 0100 00010 000: the same with one channel that is made two.
        ("parametric stereo", [0xEB, 0x8A, 0x08, 0x00, 0x00]),
    ] {
        for file in ["stereo-44100.m4a", "stereo-44100-fragmented.mp4"] {
            let bytes = with_config(&fixture(file), config);
            let error = open(&bytes, &OpenOptions::default())
                .and_then(|mut track| listen(&mut track))
                .err()
                .unwrap_or_else(|| panic!("{file}, {name}: it is refused"));
            assert_eq!(
                error.code(),
                AudioErrorCode::UnsupportedCodec,
                "{file}, {name}"
            );
            assert!(
                error.to_string().contains("HE-AAC"),
                "{file}, {name}: {error}"
            );
        }
    }
}
