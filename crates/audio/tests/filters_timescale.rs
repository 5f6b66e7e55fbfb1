//! Speed and pitch, measured.

#[path = "support/measure.rs"]
#[allow(dead_code, reason = "each test file uses its own part of this")]
mod measure;

use std::f64::consts::TAU;

use cadenza_audio::filters::{FilterSettings, Frame, Timescale};
use measure::{RATE, amplitude, channel, decibels, fit, pitch, sine, with};

const SECOND: usize = 48_000;

fn settings() -> FilterSettings {
    FilterSettings::default()
}

fn check_timescale(speed: f64, rate_pitch: (f64, f64), hertz: f64) {
    let (pitch_factor, rate) = rate_pitch;
    let what = format!("speed {speed}, pitch {pitch_factor}, rate {rate}, {hertz} Hz");
    let timescale = Timescale {
        speed,
        pitch: pitch_factor,
        rate,
    };
    let settings = FilterSettings {
        timescale: Some(timescale),
        ..settings()
    };
    let seconds = 6;
    let out = with(&settings, &sine(hertz, [0.4, 0.2], seconds * SECOND));
    let length = out.len() as f64 / (seconds * SECOND) as f64 * speed * rate;
    assert!(
        (length - 1.0).abs() < 0.005,
        "{what}: length is off by {length}"
    );
    let middle = &out[out.len() / 4..out.len() / 4 + SECOND.min(out.len() / 2)];
    let heard = pitch(&channel(middle, 0));
    let wanted = hertz * pitch_factor * rate;
    assert!(
        (heard / wanted - 1.0).abs() < 0.005,
        "{what}: {heard} Hz, not {wanted}"
    );
    for (side, level) in [0.4, 0.2].into_iter().enumerate() {
        let got = amplitude(&channel(middle, side), heard);
        assert!(
            (decibels(got / level)).abs() < 0.5,
            "{what}: level {got} on side {side}"
        );
    }
}

#[test]
fn timescale_has_the_speed_and_the_pitch_asked_for() {
    for speed in [0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0, 3.0] {
        check_timescale(speed, (1.0, 1.0), 440.0);
    }
    for pitch in [0.5, 0.8, 0.95, 1.059_463, 1.25, 2.0] {
        check_timescale(1.0, (pitch, 1.0), 440.0);
    }
    for rate in [0.5, 0.8, 0.999, 1.001, 1.25, 2.0] {
        check_timescale(1.0, (1.0, rate), 440.0);
    }
    check_timescale(1.29, (1.29, 0.9366), 440.0);
    check_timescale(0.1, (1.0, 1.0), 300.0);
    check_timescale(1.4, (0.7, 1.1), 120.0);
    check_timescale(1.2, (1.0, 1.0), 3_000.0);
}

#[test]
fn timescale_keeps_the_stereo_image() {
    // The right side lags by a quarter of a period.
    let input: Vec<Frame> = (0..4 * SECOND)
        .map(|n| {
            let angle = TAU * 500.0 * n as f64 / RATE;
            [(0.4 * angle.sin()) as f32, (-0.4 * angle.cos()) as f32]
        })
        .collect();
    for (speed, pitch) in [(1.3, 1.0), (0.8, 1.2)] {
        let timescale = Timescale {
            speed,
            pitch,
            rate: 1.0,
        };
        let out = with(
            &FilterSettings {
                timescale: Some(timescale),
                ..settings()
            },
            &input,
        );
        let middle = &out[SECOND..SECOND + 4_800];
        let phase = |side| {
            let (a, b) = fit(&channel(middle, side), 500.0 * pitch);
            b.atan2(a)
        };
        let lag = (phase(0) - phase(1)).rem_euclid(TAU) / TAU;
        assert!(
            (lag - 0.25).abs() < 0.005,
            "{speed}, {pitch}: lag of {lag} periods"
        );
    }
}

#[test]
fn stretched_music_keeps_its_beats() {
    // A tick every half second.
    let mut input = vec![[0.0; 2]; 8 * SECOND];
    for (n, frame) in input.iter_mut().enumerate() {
        let since = n % 24_000;
        let value = (-(since as f64) / 200.0).exp() * (TAU * 1_500.0 * since as f64 / RATE).sin();
        *frame = [value as f32; 2];
    }
    for speed in [0.8, 1.25] {
        let timescale = Timescale {
            speed,
            ..Timescale::default()
        };
        let out = with(
            &FilterSettings {
                timescale: Some(timescale),
                ..settings()
            },
            &input,
        );
        let onsets: Vec<f64> = (1..14)
            .map(|beat| {
                let due = beat as f64 * 24_000.0 / speed;
                let near = (due - 3_000.0) as usize..(due + 3_000.0) as usize;
                let onset = near.clone().find(|n| out[*n][0].abs() > 0.2);
                onset.map_or(f64::INFINITY, |n| n as f64 - due)
            })
            .collect();
        assert!(
            onsets.iter().all(|off| off.abs() < 1_500.0),
            "{speed}: {onsets:?}"
        );
    }
}
