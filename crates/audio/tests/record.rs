//! Recordings: what is written is read again by the package's own reader and by a plain page parser.

mod support;

use cadenza_audio::OpenOptions;
use cadenza_audio::record::OggOpusWriter;
use support::{music_packets, ogg_packets, open, play};

const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];

#[test]
fn an_ogg_recording_holds_the_packets_and_keeps_time_over_silence() {
    let packets = music_packets(0.0, 100);
    let (mut file, mut writer) = begin();
    for packet in &packets {
        assert!(writer.packet(packet, &mut file));
    }
    writer.silence(48_000, &mut file);
    for packet in &packets {
        assert!(writer.packet(packet, &mut file));
    }
    writer.finish(&mut file);

    let expected = [packets.as_slice(), &vec![SILENCE.to_vec(); 50], &packets].concat();
    assert_eq!(ogg_packets(&file)[2..], expected);
    let heard = play(&file, &OpenOptions::default()).expect("a readable file");
    assert_eq!(heard.packets, expected);
    let track = open(&file, &OpenOptions::default()).expect("a readable file");
    let length = expected.len() as u64 * 20;
    assert_eq!(track.info().duration_ms, Some(length));
}

#[test]
fn silence_shorter_than_a_packet_is_owed_and_bad_packets_are_left_out() {
    let (mut file, mut writer) = begin();
    for _ in 0..7 {
        writer.silence(137, &mut file);
    }
    assert_eq!(writer.samples(), 7 * 137);
    assert!(!writer.packet(&[], &mut file));
    assert!(!writer.packet(&[0xFB], &mut file));
    writer.sync(&mut file);
    writer.finish(&mut file);
    let lengths: u64 = ogg_packets(&file)[2..]
        .iter()
        .map(|packet| cadenza_audio::opus::packet_samples(packet).expect("a packet") as u64)
        .sum();
    assert_eq!(lengths, 7 * 137 / 120 * 120);
}

fn begin() -> (Vec<u8>, OggOpusWriter) {
    let mut file = Vec::new();
    let writer = OggOpusWriter::new(7, 2, &mut file);
    (file, writer)
}
