//! What each filter does to sines, measured.

#[path = "support/measure.rs"]
#[allow(dead_code, reason = "each test file uses its own part of this")]
mod measure;

use std::f64::consts::TAU;

use cadenza_audio::filters::{
    ChannelMix, Distortion, FilterChain, FilterSettings, Frame, Karaoke, LowPass, Rotation, Swing,
    Timescale, volume_gain,
};
use measure::{RATE, amplitude, channel, decibels, filtered, pitch_track, sine, swings, with};

const SECOND: usize = 48_000;

fn settings() -> FilterSettings {
    FilterSettings::default()
}

/// Gain in dB of a sine at this frequency once the filter has settled.
fn response(settings: &FilterSettings, hertz: f64) -> f64 {
    let level = 0.05;
    let out = with(settings, &sine(hertz, [level; 2], 2 * SECOND));
    decibels(amplitude(&channel(&out[SECOND..2 * SECOND], 0), hertz) / level)
}

fn check_db(what: &str, got: f64, want: f64) {
    assert!(
        (got - want).abs() < 0.5,
        "{what}: {got:.2} dB, not {want:.2} dB"
    );
}

#[test]
fn volume_follows_the_curve() {
    for (volume, gain) in [
        (0.1, 0.079_16),
        (0.5, 0.416_9),
        (1.0, 1.0),
        (1.5, 2.461_4),
        (5.0, 8.204),
    ] {
        let (filter, player) = (
            FilterSettings {
                volume,
                ..settings()
            },
            FilterSettings {
                player_volume: volume,
                ..settings()
            },
        );
        for settings in [filter, player] {
            check_db(
                &format!("volume {volume}"),
                response(&settings, 997.0),
                decibels(gain),
            );
        }
    }
    let silent = with(
        &FilterSettings {
            volume: 0.0,
            ..settings()
        },
        &sine(440.0, [0.5; 2], 9_600),
    );
    assert!(silent.iter().all(|frame| *frame == [0.0; 2]));
    assert_eq!(volume_gain(1.0), 1.0);
    let both = FilterSettings {
        volume: 0.5,
        player_volume: 0.5,
        ..settings()
    };
    check_db(
        "both volumes",
        response(&both, 997.0),
        decibels(0.416_9 * 0.416_9),
    );
}

#[test]
fn each_band_of_the_equalizer_has_the_documented_gain() {
    for (band, centre) in CENTRES.into_iter().enumerate() {
        for gain in [-0.25, -0.1, 0.1, 0.25, 1.0] {
            let mut settings = settings();
            settings.equalizer[band] = gain;
            for factor in [0.5, 0.8, 1.0, 1.3, 1.9] {
                let hertz = centre * factor;
                if hertz > 22_000.0 {
                    continue;
                }
                let want = documented(&settings.equalizer, hertz);
                // Where next to nothing is left, decibels of what is left say nothing.
                if want > -30.0 {
                    check_db(
                        &format!("band {band}, gain {gain}, {hertz} Hz"),
                        response(&settings, hertz),
                        want,
                    );
                }
            }
        }
    }
}

#[test]
fn a_band_alone_is_6_db_louder_at_a_quarter_and_gone_at_minus_a_quarter() {
    let mut settings = settings();
    settings.equalizer[8] = 0.25;
    check_db("0.25", response(&settings, 1_000.0), 6.02);
    settings.equalizer[8] = 1.0;
    check_db("1.0", response(&settings, 1_000.0), 13.98);
    settings.equalizer[8] = -0.25;
    assert!(response(&settings, 1_000.0) < -40.0);
}

#[test]
fn all_bands_together_have_the_documented_response() {
    let mut settings = settings();
    settings.equalizer = [
        0.3, 0.2, 0.1, 0.05, 0.0, -0.05, -0.1, -0.1, 0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.2,
    ];
    for n in 0..30 {
        let hertz = 20.0 * 1.26_f64.powi(n);
        check_db(
            &format!("{hertz:.0} Hz"),
            response(&settings, hertz),
            documented(&settings.equalizer, hertz),
        );
    }
}

const CENTRES: [f64; 15] = [
    25.0, 40.0, 63.0, 100.0, 160.0, 250.0, 400.0, 630.0, 1e3, 1.6e3, 2.5e3, 4e3, 6.3e3, 1e4, 1.6e4,
];

/// The response of the documented two-pole sections, computed on the unit circle in doubles.
fn documented(gains: &[f64; 15], hertz: f64) -> f64 {
    let at = TAU * hertz / RATE;
    // z^-1 and z^-2 as pairs of real and imaginary part.
    let (z1, z2) = ((at.cos(), -at.sin()), ((2.0 * at).cos(), -(2.0 * at).sin()));
    let (mut re, mut im) = (1.0, 0.0);
    for (gain, centre) in gains.iter().zip(CENTRES) {
        let (w, w1) = (
            TAU * centre / RATE,
            TAU * centre * 2.0_f64.powf(-1.0 / 3.0) / RATE,
        );
        let t = (w1.cos() - w.cos()) / w1.sin();
        let beta = (1.0 - t) / (1.0 + t);
        let (alpha, gamma) = ((1.0 - beta) / 2.0, (1.0 + beta) * w.cos());
        let top = (alpha * (1.0 - z2.0), -alpha * z2.1);
        let bottom = (
            1.0 - gamma * z1.0 + beta * z2.0,
            -gamma * z1.1 + beta * z2.1,
        );
        let size = bottom.0 * bottom.0 + bottom.1 * bottom.1;
        re += 4.0 * gain * (top.0 * bottom.0 + top.1 * bottom.1) / size;
        im += 4.0 * gain * (top.1 * bottom.0 - top.0 * bottom.1) / size;
    }
    decibels(re.hypot(im))
}

#[test]
fn karaoke_removes_the_middle_and_keeps_its_low_tones_and_the_sides() {
    let settings = FilterSettings {
        karaoke: Some(Karaoke::default()),
        ..settings()
    };
    assert!(response(&settings, 2_000.0) < -25.0, "voices are gone");
    // In the middle of its band the tone comes back as loud as the band-pass lets it.
    check_db(
        "220 Hz",
        response(&settings, 220.0),
        decibels(band_pass(220.0)),
    );
    // What is on one side only also goes, turned over, to the other.
    let out = with(&settings, &sine(2_000.0, [0.1, 0.0], SECOND));
    let (left, right) = (channel(&out[24_000..], 0), channel(&out[24_000..], 1));
    check_db("left", decibels(amplitude(&left, 2_000.0) / 0.1), 0.0);
    check_db("right", decibels(amplitude(&right, 2_000.0) / 0.1), 0.0);
    let half = FilterSettings {
        karaoke: Some(Karaoke {
            level: 0.5,
            mono_level: 0.0,
            ..Karaoke::default()
        }),
        ..settings
    };
    check_db("half", response(&half, 2_000.0), -6.02);
}

/// The documented band-pass of karaoke at its own centre.
fn band_pass(hertz: f64) -> f64 {
    let c = (-TAU * 100.0 / RATE).exp();
    let b = -4.0 * c / (1.0 + c) * (TAU * 220.0 / RATE).cos();
    let a = (1.0 - b * b / (4.0 * c)).sqrt() * (1.0 - c);
    let at = TAU * hertz / RATE;
    let re = 1.0 + b * at.cos() + c * (2.0 * at).cos();
    let im = -b * at.sin() - c * (2.0 * at).sin();
    a / re.hypot(im)
}

#[test]
fn tremolo_swings_as_deep_and_as_fast_as_asked() {
    for (frequency, depth) in [(2.0, 0.5), (5.0, 0.9), (0.5, 0.2), (14.0, 1.0)] {
        let tremolo = Some(Swing { frequency, depth });
        let input = vec![[0.5; 2]; 6 * SECOND];
        let out = channel(
            &with(
                &FilterSettings {
                    tremolo,
                    ..settings()
                },
                &input,
            ),
            0,
        );
        let (low, high) = extremes(&out);
        check_db("loudest", decibels(high / 0.5), 0.0);
        assert!((low / 0.5 - (1.0 - depth)).abs() < 0.005, "{low}");
        let mean = out.iter().sum::<f64>() / out.len() as f64;
        let swing: Vec<f64> = out.iter().map(|y| y - mean).collect();
        let heard = swings(&swing) * RATE;
        assert!((heard / frequency - 1.0).abs() < 0.005, "{heard} Hz");
        assert!(
            amplitude(&swing, frequency) / (0.25 * depth) > 0.99,
            "it is a sine"
        );
    }
}

#[test]
fn vibrato_swings_as_deep_and_as_fast_as_asked() {
    for (frequency, depth) in [(2.0, 0.5), (5.0, 1.0), (14.0, 0.3)] {
        let vibrato = Some(Swing { frequency, depth });
        let out = with(
            &FilterSettings {
                vibrato,
                ..settings()
            },
            &sine(2_000.0, [0.5; 2], 4 * SECOND),
        );
        let out = channel(&out, 0);
        check_db("level", decibels(extremes(&out[SECOND..]).1 / 0.5), 0.0);
        let track = pitch_track(&out[4_800..], 2_000.0, 48);
        // The delay swings by 48 depth samples around its middle.
        let most = 48.0 * depth * TAU * frequency / RATE;
        let (low, high) = extremes(&track);
        for (got, want) in [(high / 2_000.0 - 1.0, most), (1.0 - low / 2_000.0, most)] {
            assert!(
                (got / want - 1.0).abs() < 0.03,
                "{frequency} Hz, {depth}: {got}, not {want}"
            );
        }
        let swing: Vec<f64> = track.iter().map(|hertz| hertz - 2_000.0).collect();
        let heard = swings(&swing) * 1_000.0;
        assert!((heard / frequency - 1.0).abs() < 0.005, "{heard} Hz");
    }
}

#[test]
fn rotation_moves_from_side_to_side() {
    for hertz in [0.2, 1.0, -0.5] {
        let rotation = Some(Rotation { rotation_hz: hertz });
        let out = with(
            &FilterSettings {
                rotation,
                ..settings()
            },
            &vec![[0.8, 0.4]; 5 * SECOND],
        );
        for (n, frame) in out.iter().enumerate().step_by(997) {
            let sine = (TAU * hertz * n as f64 / RATE).sin();
            let want = [0.8 * (1.0 + sine) / 2.0, 0.4 * (1.0 - sine) / 2.0];
            for side in 0..2 {
                let off = (f64::from(frame[side]) - want[side]).abs();
                assert!(
                    off < 0.002,
                    "{hertz} Hz, sample {n}: {frame:?}, not {want:?}"
                );
            }
        }
    }
}

#[test]
fn distortion_is_the_documented_curve() {
    let shapes = [
        Distortion {
            scale: 2.0,
            ..Distortion::default()
        },
        Distortion {
            sin_offset: 0.2,
            cos_scale: 3.0,
            offset: -0.1,
            ..Distortion::default()
        },
        Distortion {
            tan_offset: 1.0,
            tan_scale: 0.5,
            sin_scale: 4.0,
            cos_offset: 0.3,
            ..Distortion::default()
        },
    ];
    for shape in shapes {
        let input = sine(100.0, [0.9, -0.3], 4_800);
        let out = with(
            &FilterSettings {
                distortion: Some(shape),
                ..settings()
            },
            &input,
        );
        for (got, x) in out.as_flattened().iter().zip(input.as_flattened()) {
            let x = f64::from(*x);
            let product = (shape.sin_offset + (x * shape.sin_scale).sin())
                * (shape.cos_offset + (x * shape.cos_scale).cos())
                * (shape.tan_offset + (x * shape.tan_scale).tan());
            let want = (shape.offset + shape.scale * product).clamp(-1.0, 1.0);
            // The limiter bends the loudest part by less than this.
            let tolerance = if want.abs() > 0.95 { 0.05 } else { 1e-4 };
            assert!(
                (f64::from(*got) - want).abs() < tolerance,
                "{x}: {got}, not {want}"
            );
        }
    }
}

#[test]
fn channels_are_mixed_as_asked() {
    let mix = ChannelMix {
        left_to_left: 0.5,
        left_to_right: 0.25,
        right_to_left: 0.75,
        right_to_right: 1.0,
    };
    let channel_mix = Some(mix);
    let input: Vec<Frame> = sine(500.0, [0.3; 2], SECOND)
        .iter()
        .zip(sine(1_700.0, [0.2; 2], SECOND))
        .map(|(left, right)| [left[0], right[1]])
        .collect();
    let out = with(
        &FilterSettings {
            channel_mix,
            ..settings()
        },
        &input,
    );
    for (side, hertz, level) in [
        (0, 500.0, 0.15),
        (1, 500.0, 0.075),
        (0, 1_700.0, 0.15),
        (1, 1_700.0, 0.2),
    ] {
        check_db(
            "mix",
            decibels(amplitude(&channel(&out, side), hertz) / level),
            0.0,
        );
    }
}

#[test]
fn low_pass_falls_as_documented() {
    for smoothing in [1.0, 2.0, 5.0, 20.0, 100.0] {
        let low_pass = Some(LowPass { smoothing });
        for hertz in [50.0, 200.0, 400.0, 1_000.0, 5_000.0, 15_000.0] {
            let part = 1.0 / smoothing;
            let at = TAU * hertz / RATE;
            let want = part / (1.0 - (1.0 - part) * at.cos()).hypot((1.0 - part) * at.sin());
            let got = response(
                &FilterSettings {
                    low_pass,
                    ..settings()
                },
                hertz,
            );
            check_db(
                &format!("smoothing {smoothing}, {hertz} Hz"),
                got,
                decibels(want),
            );
        }
    }
    let low_pass = Some(LowPass { smoothing: 20.0 });
    check_db(
        "about 400 Hz",
        response(
            &FilterSettings {
                low_pass,
                ..settings()
            },
            390.0,
        ),
        -3.0,
    );
}

#[test]
fn what_is_too_loud_is_bent_and_never_wraps() {
    let loud = FilterSettings {
        volume: 5.0,
        player_volume: 10.0,
        ..settings()
    };
    let input = sine(300.0, [0.9, 0.01], SECOND);
    let out = with(&loud, &input);
    for (frame, heard) in input.iter().zip(&out).skip(500) {
        for side in 0..2 {
            assert!(heard[side].abs() <= 1.0);
            assert!(
                heard[side] * frame[side] >= 0.0,
                "a sample changed its sign"
            );
        }
    }
    let peak = channel(&out, 0).into_iter().fold(0.0, f64::max);
    assert!(peak > 0.99, "{peak}");
}

#[test]
fn the_size_of_blocks_does_not_matter() {
    let mut settings = everything();
    settings.timescale = Some(Timescale {
        speed: 1.2,
        pitch: 0.9,
        rate: 1.1,
    });
    let input = sine(321.0, [0.3, 0.2], 2 * SECOND);
    let whole = filtered(&mut FilterChain::new(&settings), &input, input.len());
    let parts = filtered(&mut FilterChain::new(&settings), &input, 119);
    let most = whole.len().min(parts.len());
    assert!(most > 65_000 && whole[..most] == parts[..most]);
}

/// Every filter but the timescale at once.
fn everything() -> FilterSettings {
    let mut settings = settings();
    settings.equalizer[3] = 0.2;
    FilterSettings {
        volume: 0.7,
        karaoke: Some(Karaoke {
            level: 0.4,
            ..Karaoke::default()
        }),
        tremolo: Some(Swing {
            frequency: 3.0,
            depth: 0.4,
        }),
        vibrato: Some(Swing {
            frequency: 4.0,
            depth: 0.4,
        }),
        rotation: Some(Rotation { rotation_hz: 0.3 }),
        distortion: Some(Distortion {
            scale: 3.0,
            tan_offset: 1.0,
            ..Distortion::default()
        }),
        channel_mix: Some(ChannelMix {
            left_to_right: 0.3,
            ..ChannelMix::default()
        }),
        low_pass: Some(LowPass { smoothing: 3.0 }),
        ..settings
    }
}

fn extremes(samples: &[f64]) -> (f64, f64) {
    let low = samples.iter().copied().fold(f64::INFINITY, f64::min);
    (
        low,
        samples.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}
