//! Samples with nothing around them, and encoder settings that change while a track plays.

mod support;

use std::io::Cursor;

use cadenza_audio::{
    EncoderSettings, MAX_OPUS_FRAME, OpenOptions, PcmFormat, SampleType, Signal, Track,
};
use support::{best_snr, decode, listen, music, music_at};

fn s16(frames: &[[f32; 2]], channels: usize) -> Vec<u8> {
    let samples = frames.iter().flat_map(|frame| frame[..channels].to_vec());
    samples
        .flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes())
        .collect()
}

fn f32le(frames: &[[f32; 2]]) -> Vec<u8> {
    let samples = frames.iter().flatten();
    samples.flat_map(|sample| sample.to_le_bytes()).collect()
}

fn open(bytes: Vec<u8>, format: PcmFormat, encoder: EncoderSettings) -> Track {
    let options = OpenOptions {
        encoder,
        ..OpenOptions::default()
    };
    Track::open_pcm(Box::new(Cursor::new(bytes)), format, &options).expect("a valid format")
}

fn check_quality(bytes: Vec<u8>, format: PcmFormat) {
    let mut track = open(bytes, format, EncoderSettings::default());
    let heard = listen(&mut track).expect("it plays");
    let last = *heard.positions.last().expect("frames");
    assert!(last.abs_diff(1_000) <= 20, "{format:?}: {last} ms");
    let mut wanted: Vec<[f32; 2]> = (0..40_000)
        .map(|n| music_at(f64::from(n) / 48_000.0))
        .collect();
    if format.channels == 1 {
        wanted.iter_mut().for_each(|frame| frame[1] = frame[0]);
    }
    let (snr, _) = best_snr(&wanted, &decode(&heard.packets), 1_000);
    assert!(snr > 12.0, "{format:?}: {snr:.1} dB");
}

#[test]
fn every_shape_is_heard_as_it_was() {
    for sample_rate in [48_000, 44_100, 24_000] {
        let format = PcmFormat {
            sample_rate,
            ..PcmFormat::default()
        };
        check_quality(s16(&music(sample_rate, 1.0), 2), format);
    }
    let mono = PcmFormat {
        channels: 1,
        ..PcmFormat::default()
    };
    check_quality(s16(&music(48_000, 1.0), 1), mono);
    let float = PcmFormat {
        sample_type: SampleType::F32Le,
        ..PcmFormat::default()
    };
    check_quality(f32le(&music(48_000, 1.0)), float);
}

#[test]
fn a_rest_shorter_than_a_sample_and_impossible_shapes_do_no_harm() {
    let mut bytes = s16(&music(48_000, 0.1), 2);
    bytes.push(7);
    let heard = listen(&mut open(
        bytes,
        PcmFormat::default(),
        EncoderSettings::default(),
    ));
    assert!(heard.expect("it plays").packets.len() >= 5);
    for (sample_rate, channels) in [(0, 2), (3_999, 2), (400_000, 2), (48_000, 0), (48_000, 9)] {
        let format = PcmFormat {
            sample_rate,
            channels,
            ..PcmFormat::default()
        };
        let empty = Box::new(Cursor::new(Vec::new()));
        assert!(Track::open_pcm(empty, format, &OpenOptions::default()).is_err());
    }
}

#[test]
fn settings_change_from_the_next_frame_on() {
    let mut track = open(
        s16(&music(48_000, 4.0), 2),
        PcmFormat::default(),
        EncoderSettings::default(),
    );
    let rich = mean_len(&mut track, 50);
    let poor = EncoderSettings {
        bitrate: 24_000,
        complexity: 0,
        ..EncoderSettings::default()
    };
    track.set_encoder(&poor).expect("valid settings");
    mean_len(&mut track, 10);
    let thin = mean_len(&mut track, 50);
    assert!(
        (280..=370).contains(&rich) && (45..=75).contains(&thin),
        "{rich} and {thin} bytes"
    );
}

#[test]
fn loss_that_is_expected_brings_speech_into_the_mode_with_redundancy() {
    for (fec, silk) in [(false, false), (true, true)] {
        let settings = EncoderSettings {
            bitrate: 96_000,
            fec,
            expected_loss_percent: if fec { 30 } else { 0 },
            signal: Signal::Voice,
            ..EncoderSettings::default()
        };
        let mut track = open(s16(&music(48_000, 1.0), 2), PcmFormat::default(), settings);
        let heard = listen(&mut track).expect("it plays");
        // Configurations from 16 on are CELT alone, which carries no redundancy (RFC 6716, 3.1).
        let with_silk = heard.packets.iter().filter(|packet| packet[0] >> 3 < 16);
        assert_eq!(with_silk.count() > 25, silk, "fec {fec}");
    }
}

fn mean_len(track: &mut Track, frames: usize) -> usize {
    let mut out = [0; MAX_OPUS_FRAME];
    let lens = (0..frames).map(|_| {
        let frame = track.next_frame(&mut out).expect("it plays");
        frame.expect("the track is long enough").len
    });
    lens.sum::<usize>() / frames
}
