//! Filters of whole tracks: changed while frames wait, heard without a click, gap or shift, and packets
//! that pass through again byte for byte.

#[path = "support/measure.rs"]
#[allow(dead_code, reason = "each test file uses its own part of this")]
mod measure;
mod support;

use cadenza_audio::filters::{FilterSettings, LowPass, Swing, Timescale, volume_gain};
use cadenza_audio::opus::Encoder;
use cadenza_audio::{EncoderSettings, MAX_OPUS_FRAME, OpenOptions, Track};
use measure::{RATE, amplitude, roughness, sine};
use support::{decode, ogg_opus, open, wav};

const TONE: f64 = 403.7;
const FRAME: usize = 960;

/// A second or more of a tone on both sides.
fn tone(seconds: f64) -> Vec<[f32; 2]> {
    sine(TONE, [0.4, 0.3], (seconds * RATE) as usize)
}

fn wav_track(seconds: f64) -> Track {
    let bytes = wav(48_000, 2, &tone(seconds));
    open(&bytes, &OpenOptions::default()).expect("a valid file")
}

fn encode(frames: &[[f32; 2]]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&EncoderSettings::default()).expect("an encoder");
    let mut out = [0; MAX_OPUS_FRAME];
    let blocks = frames.as_flattened().as_chunks::<{ 2 * FRAME }>().0;
    blocks
        .iter()
        .map(|pcm| {
            let len = encoder.encode(pcm, &mut out).expect("sound");
            out[..len].to_vec()
        })
        .collect()
}

/// The tone as somebody else's Opus packets, and the track that passes them through.
fn opus_track(seconds: f64) -> (Vec<Vec<u8>>, Track) {
    let packets = encode(&tone(seconds));
    let bytes = ogg_opus(7, &packets, 960, 10);
    let track = open(&bytes, &OpenOptions::default()).expect("a valid file");
    assert!(track.info().passthrough);
    (packets, track)
}

/// What was sent, and the positions that were told with it.
#[derive(Default)]
struct Sent {
    packets: Vec<Vec<u8>>,
    positions: Vec<u64>,
}

impl Sent {
    fn take(&mut self, track: &mut Track, frames: usize) -> usize {
        let mut out = [0; MAX_OPUS_FRAME];
        for n in 0..frames {
            let Some(frame) = track.next_frame(&mut out).expect("it plays") else {
                return n;
            };
            self.packets.push(out[..frame.len].to_vec());
            self.positions.push(frame.position_ms);
        }
        frames
    }

    /// Changes the filters `back` frames before the end, as an engine does with waiting frames.
    fn change(&mut self, track: &mut Track, filters: &FilterSettings, back: usize) {
        let taken = track.set_filters(filters, back).expect("it plays");
        assert_eq!(taken, back);
        self.packets.truncate(self.packets.len() - back);
        self.positions.truncate(self.packets.len());
    }

    fn left(&self) -> Vec<f64> {
        let pcm = decode(&self.packets);
        pcm.iter().step_by(2).map(|&x| f64::from(x)).collect()
    }
}

fn volume(volume: f64) -> FilterSettings {
    FilterSettings {
        player_volume: volume,
        ..FilterSettings::default()
    }
}

fn speed(speed: f64) -> FilterSettings {
    FilterSettings {
        timescale: Some(Timescale {
            speed,
            ..Timescale::default()
        }),
        ..FilterSettings::default()
    }
}

/// A chain with memory of every kind.
fn rich() -> FilterSettings {
    let swing = Some(Swing {
        frequency: 4.0,
        depth: 0.3,
    });
    FilterSettings {
        vibrato: swing,
        tremolo: swing,
        low_pass: Some(LowPass { smoothing: 3.0 }),
        timescale: Some(Timescale {
            speed: 1.25,
            pitch: 1.1,
            rate: 1.0,
        }),
        ..FilterSettings::default()
    }
}

/// The level of the left side over some frames.
fn level(left: &[f64], frames: std::ops::Range<usize>) -> f64 {
    amplitude(&left[frames.start * FRAME..frames.end * FRAME], TONE)
}

/// How rough the sound gets around a seam, against what the codec makes of the sound elsewhere.
fn check_smooth(left: &[f64], seam: usize, name: &str) {
    let usual = roughness(&left[10 * FRAME..(seam - 3) * FRAME]).max(0.004);
    let around = roughness(&left[(seam - 2) * FRAME..(seam + 4) * FRAME]);
    assert!(
        around < 3.0 * usual,
        "{name}: {around:.4} against {usual:.4}"
    );
}

#[test]
fn frames_made_again_without_a_change_sound_the_same() {
    for (name, mut track) in [("wav", wav_track(2.0)), ("opus", opus_track(2.0).1)] {
        let mut sent = Sent::default();
        sent.take(&mut track, 60);
        let straight = sent.left();
        let positions = sent.positions.clone();
        // Not quite neutral, so that the packets of the file are encoded anew.
        sent.change(&mut track, &speed(1.0 + 1e-12), 25);
        sent.take(&mut track, 25);
        let again = sent.left();
        check_smooth(&again, 35, name);
        let noise: f64 = straight
            .iter()
            .zip(&again)
            .map(|(a, b)| (a - b).powi(2))
            .sum();
        let signal: f64 = straight.iter().map(|a| a * a).sum();
        let snr = 10.0 * (signal / noise).log10();
        assert!(snr > 25.0, "{name}: {snr:.1} dB");
        for (a, b) in positions.iter().zip(&sent.positions) {
            assert!(a.abs_diff(*b) <= 1, "{name}: {a} and {b} ms");
        }
    }
}

#[test]
fn a_volume_is_heard_from_the_frame_asked_for() {
    for (name, mut track) in [("wav", wav_track(3.0)), ("opus", opus_track(3.0).1)] {
        let mut sent = Sent::default();
        sent.take(&mut track, 60);
        sent.change(&mut track, &volume(0.5), 20);
        sent.take(&mut track, 20);
        sent.change(&mut track, &volume(1.5), 1);
        sent.take(&mut track, 21);
        let left = sent.left();
        check_smooth(&left, 40, name);
        let before = level(&left, 30..40);
        let after = level(&left, 42..58) / before;
        let louder = level(&left, 62..78) / before;
        assert!((before - 0.4).abs() < 0.01, "{name}: {before:.3}");
        assert!(
            (after - volume_gain(0.5)).abs() < 0.01,
            "{name}: {after:.3}"
        );
        let limited = louder > 2.2 && louder < volume_gain(1.5) + 0.02;
        assert!(limited, "{name}: {louder:.3}");
    }
}

#[test]
fn packets_pass_through_again_byte_for_byte_once_filters_are_cleared() {
    let (packets, mut track) = opus_track(4.0);
    let mut sent = Sent::default();
    sent.take(&mut track, 60);
    sent.change(&mut track, &volume(0.8), 20);
    sent.take(&mut track, 40);
    sent.change(&mut track, &FilterSettings::default(), 20);
    sent.take(&mut track, 60);
    let same = |n: usize| sent.packets[n] == packets[n];
    assert!((0..40).all(same));
    assert!(!(40..60).any(same));
    // One frame glides; the next packet is the file's own again, in its place.
    assert!(
        (61..120).all(same),
        "{:?}",
        (0..120).map(same).collect::<Vec<_>>()
    );
    let left = sent.left();
    check_smooth(&left, 40, "on");
    check_smooth(&left, 60, "off");
    let steps = sent.positions.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        steps.clone().all(|step| (19..=21).contains(&step)),
        "{:?}",
        sent.positions
    );
}

#[test]
fn a_change_of_mind_while_everything_waits_ends_where_it_began() {
    let (packets, mut track) = opus_track(4.0);
    let mut sent = Sent::default();
    sent.take(&mut track, 50);
    for _ in 0..20 {
        sent.change(&mut track, &rich(), 20);
        sent.take(&mut track, 20);
        sent.change(&mut track, &FilterSettings::default(), 20);
        sent.take(&mut track, 20);
    }
    assert!(sent.packets == packets[..50]);
}

#[test]
fn filters_with_memory_go_on_where_they_were() {
    for (name, mut track) in [("wav", wav_track(6.0)), ("opus", opus_track(6.0).1)] {
        track.set_filters(&rich(), 0).expect("it plays");
        let mut sent = Sent::default();
        sent.take(&mut track, 90);
        let straight = sent.left();
        for back in [25, 13, 2] {
            let seam = sent.packets.len() - back;
            sent.change(&mut track, &rich(), back);
            sent.take(&mut track, back);
            let again = sent.left();
            let range = (seam - 2) * FRAME..(seam + 2) * FRAME;
            let noise: f64 = range
                .clone()
                .map(|n| (straight[n] - again[n]).powi(2))
                .sum();
            let signal: f64 = range.map(|n| straight[n].powi(2)).sum();
            let snr = 10.0 * (signal / noise).log10();
            assert!(snr > 20.0, "{name}, {back} back: {snr:.1} dB");
        }
    }
}

#[test]
fn position_is_source_time_under_any_timescale() {
    for factor in [0.5, 1.5, 2.0] {
        for (name, mut track) in [("wav", wav_track(10.0)), ("opus", opus_track(10.0).1)] {
            let mut sent = Sent::default();
            sent.take(&mut track, 50);
            sent.change(&mut track, &speed(factor), 10);
            sent.take(&mut track, 110);
            let travelled = (sent.positions[149] - sent.positions[49]) as f64 / 2_000.0;
            assert!(
                (travelled / factor - 1.0).abs() < 0.02,
                "{name}: {travelled:.3} at {factor}"
            );
            sent.change(&mut track, &FilterSettings::default(), 10);
            sent.take(&mut track, 40);
            let steps = sent
                .positions
                .windows(2)
                .map(|pair| pair[1].wrapping_sub(pair[0]));
            assert!(
                steps.clone().all(|step| step <= 100),
                "{name}: {:?}",
                sent.positions
            );
            assert!(
                steps.rev().take(10).all(|step| (19..=21).contains(&step)),
                "{name}"
            );
        }
    }
}

#[test]
fn after_a_timescale_packets_pass_through_again() {
    for factor in [0.77, 1.31] {
        let (packets, mut track) = opus_track(8.0);
        let mut sent = Sent::default();
        sent.take(&mut track, 20);
        sent.change(&mut track, &speed(factor), 0);
        sent.take(&mut track, 77);
        sent.change(&mut track, &FilterSettings::default(), 3);
        sent.take(&mut track, 60);
        let last = sent.packets.last().expect("frames");
        let place = packets
            .iter()
            .position(|packet| packet == last)
            .expect("a packet of the file");
        let tail = sent.packets.len() - 40;
        assert!(sent.packets[tail..] == packets[place - 39..=place]);
        let heard = *sent.positions.last().expect("frames");
        assert!(
            heard.abs_diff((place as u64 + 1) * 20 - 7) <= 1,
            "{heard} ms, packet {place}"
        );
        let left = sent.left();
        check_smooth(&left, 97 - 3 + 2, "off");
    }
}

#[test]
fn a_change_after_the_end_makes_the_last_frames_anew() {
    for (name, mut track) in [("wav", wav_track(1.0)), ("opus", opus_track(1.0).1)] {
        let mut sent = Sent::default();
        let all = sent.take(&mut track, 100);
        sent.change(&mut track, &volume(0.5), 15);
        let again = sent.take(&mut track, 100);
        assert!(again.abs_diff(15) <= 1, "{name}: {again} of {all}");
        assert_eq!(sent.take(&mut track, 10), 0, "{name}");
        let left = sent.left();
        let gain = level(&left, all - 12..all - 3) / level(&left, all - 30..all - 18);
        assert!((gain - volume_gain(0.5)).abs() < 0.02, "{name}: {gain:.3}");
    }
}

#[test]
fn filters_may_be_there_from_the_start_and_stay_over_a_seek() {
    let packets = encode(&tone(4.0));
    let files = [wav(48_000, 2, &tone(4.0)), ogg_opus(7, &packets, 960, 10)];
    for (bytes, start_ms) in files.iter().flat_map(|file| [(file, 0), (file, 1_010)]) {
        let options = OpenOptions {
            filters: volume(0.5),
            start_ms,
            ..OpenOptions::default()
        };
        let mut track = open(bytes, &options).expect("a valid file");
        let mut sent = Sent::default();
        sent.take(&mut track, 40);
        let reached = sent.positions[0];
        assert!(
            reached >= start_ms && reached <= start_ms + 40,
            "{reached} ms"
        );
        track.seek(2_000).expect("it seeks");
        sent.take(&mut track, 40);
        let reached = sent.positions[40];
        assert!((2_000..=2_040).contains(&reached), "{reached} ms");
        let left = sent.left();
        for frames in [5..38, 45..78] {
            let gain = level(&left, frames) / 0.4;
            assert!(
                (gain - volume_gain(0.5)).abs() < 0.02,
                "from {start_ms}: {gain:.3}"
            );
        }
    }
}

#[test]
fn what_is_not_kept_cannot_be_taken_back() {
    for mut track in [wav_track(2.0), opus_track(2.0).1] {
        let mut sent = Sent::default();
        sent.take(&mut track, 60);
        track.keep(10);
        assert!(track.set_filters(&rich(), 30).expect("it plays") <= 13);
        track.keep(0);
        sent.take(&mut track, 3);
        assert!(track.set_filters(&volume(0.5), 30).expect("it plays") <= 6);
        assert_eq!(sent.take(&mut track, 10), 10);
    }
}

#[test]
fn a_thousand_changes_in_a_row_play_on() {
    let changes = [
        volume(0.5),
        rich(),
        FilterSettings::default(),
        speed(1.5),
        volume(2.0),
    ];
    for (name, mut track) in [("wav", wav_track(8.0)), ("opus", opus_track(8.0).1)] {
        let mut sent = Sent::default();
        sent.take(&mut track, 30);
        for n in 0..1_000 {
            let back = track
                .set_filters(&changes[n % changes.len()], n % 7)
                .expect("it plays");
            sent.packets.truncate(sent.packets.len() - back);
            sent.take(&mut track, back + usize::from(n % 10 == 0));
        }
        assert!(sent.packets.len() > 100, "{name}");
        assert!(roughness(&sent.left()) < 3.0, "{name}");
    }
}
