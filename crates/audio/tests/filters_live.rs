//! Filters that change while sound plays: no click, nothing left behind, and nothing breaks them.

#[path = "support/measure.rs"]
#[allow(dead_code, reason = "each test file uses its own part of this")]
mod measure;

use cadenza_audio::filters::{
    BANDS, ChannelMix, Distortion, FilterChain, FilterSettings, Frame, Karaoke, LowPass, Rotation,
    Swing, Timescale,
};
use measure::{channel, filtered, roughness, run, sine};
use proptest::prelude::*;

/// What a step of a hundredth of full scale amounts to.
const CLICK: f64 = 0.03;

/// Each filter by itself, and everything together.
fn all() -> Vec<(&'static str, FilterSettings)> {
    let none = FilterSettings::default();
    let mut bands = none;
    bands.equalizer = [
        0.25, 0.2, -0.2, 0.1, 0.3, 0.5, -0.25, 0.0, 0.1, 0.2, 0.3, 0.1, 0.0, 0.1, 0.2,
    ];
    let volume = FilterSettings {
        volume: 0.3,
        ..none
    };
    let karaoke = FilterSettings {
        karaoke: Some(Karaoke::default()),
        ..none
    };
    let swing = Some(Swing {
        frequency: 5.0,
        depth: 0.8,
    });
    let tremolo = FilterSettings {
        tremolo: swing,
        ..none
    };
    let vibrato = FilterSettings {
        vibrato: swing,
        ..none
    };
    let rotation = FilterSettings {
        rotation: Some(Rotation { rotation_hz: 0.5 }),
        ..none
    };
    let bent = Distortion {
        scale: 0.8,
        tan_offset: 1.0,
        ..Distortion::default()
    };
    let distortion = FilterSettings {
        distortion: Some(bent),
        ..none
    };
    let swapped = ChannelMix {
        left_to_left: 0.0,
        left_to_right: 1.0,
        right_to_left: 1.0,
        right_to_right: 0.0,
    };
    let channel_mix = FilterSettings {
        channel_mix: Some(swapped),
        ..none
    };
    let low_pass = FilterSettings {
        low_pass: Some(LowPass { smoothing: 30.0 }),
        ..none
    };
    vec![
        ("volume", volume),
        ("equalizer", bands),
        ("karaoke", karaoke),
        ("tremolo", tremolo),
        ("vibrato", vibrato),
        ("rotation", rotation),
        ("distortion", distortion),
        ("channel mix", channel_mix),
        ("low pass", low_pass),
        ("speed", timed(1.3, 1.0, 1.0)),
        ("slow", timed(0.7, 1.0, 1.0)),
        ("pitch", timed(1.0, 1.2, 1.0)),
        ("rate", timed(1.0, 1.0, 0.8)),
        ("together", together(bands)),
    ]
}

fn together(bands: FilterSettings) -> FilterSettings {
    FilterSettings {
        karaoke: Some(Karaoke {
            level: 0.4,
            ..Karaoke::default()
        }),
        tremolo: Some(Swing {
            frequency: 5.0,
            depth: 0.8,
        }),
        rotation: Some(Rotation { rotation_hz: 0.5 }),
        timescale: Some(Timescale {
            speed: 1.2,
            pitch: 1.1,
            rate: 1.05,
        }),
        low_pass: Some(LowPass { smoothing: 30.0 }),
        ..bands
    }
}

fn timed(speed: f64, pitch: f64, rate: f64) -> FilterSettings {
    FilterSettings {
        timescale: Some(Timescale { speed, pitch, rate }),
        ..FilterSettings::default()
    }
}

#[test]
fn no_change_clicks_and_clearing_leaves_nothing_behind() {
    let input = sine(300.0, [0.4, 0.3], 48_000);
    for (from, first) in all() {
        for (to, second) in all() {
            let mut chain = FilterChain::default();
            let mut out = filtered(&mut chain, &input[..10_007], 960);
            for (settings, part) in [
                (first, 10_007..20_011),
                (second, 20_011..30_013),
                (FilterSettings::default(), 30_013..48_000),
            ] {
                chain.set(&settings);
                out.extend(filtered(&mut chain, &input[part], 960));
            }
            for side in 0..2 {
                let worst = roughness(&channel(&out, side));
                assert!(worst < CLICK, "{from} to {to}: {worst} on side {side}");
            }
            assert!(chain.is_idle(), "{from} to {to}: not idle after clearing");
            assert_eq!(chain.pending(), 0.0);
        }
    }
}

#[test]
fn roughness_tells_a_click_from_a_glide() {
    let mut jump = channel(&sine(300.0, [0.4; 2], 9_600), 0);
    assert!(roughness(&jump) < CLICK / 1_000.0);
    jump[4_800..].iter_mut().for_each(|sample| *sample += 0.011);
    assert!(roughness(&jump) > CLICK);
}

#[test]
fn a_change_is_complete_within_10_ms() {
    let mut chain = FilterChain::default();
    let mut out = filtered(&mut chain, &sine(500.0, [0.5; 2], 4_800), 960);
    chain.set(&FilterSettings {
        volume: 0.0,
        ..FilterSettings::default()
    });
    out.extend(filtered(&mut chain, &sine(500.0, [0.5; 2], 4_800), 960));
    assert!(out[5_280..].iter().all(|frame| *frame == [0.0; 2]));
}

#[test]
fn settings_that_change_nothing_leave_every_sample_as_it_is() {
    let mut chain = FilterChain::new(&FilterSettings {
        karaoke: Some(Karaoke {
            level: 0.0,
            ..Karaoke::default()
        }),
        timescale: Some(Timescale::default()),
        tremolo: Some(Swing {
            frequency: 2.0,
            depth: 0.0,
        }),
        vibrato: Some(Swing {
            frequency: 2.0,
            depth: 0.0,
        }),
        rotation: Some(Rotation::default()),
        distortion: Some(Distortion::default()),
        channel_mix: Some(ChannelMix::default()),
        low_pass: Some(LowPass { smoothing: 1.0 }),
        ..FilterSettings::default()
    });
    assert!(chain.is_idle());
    let input = sine(500.0, [0.9, 0.5], 9_600);
    assert_eq!(filtered(&mut chain, &input, 333), input);
}

#[test]
fn what_is_out_of_range_is_named_with_the_range() {
    let none = FilterSettings::default();
    let bad = |settings: FilterSettings| settings.check().expect_err("out of range").to_string();
    let volume = FilterSettings {
        volume: 5.1,
        ..none
    };
    assert_eq!(bad(volume), "volume takes 0 to 5, not 5.1");
    let low_pass = Some(LowPass {
        smoothing: f64::NAN,
    });
    assert_eq!(
        bad(FilterSettings { low_pass, ..none }),
        "low_pass.smoothing takes 1 or more, not NaN"
    );
    let vibrato = Some(Swing {
        frequency: 14.5,
        depth: 0.5,
    });
    let message = "vibrato.frequency takes more than 0, up to 14, not 14.5";
    assert_eq!(bad(FilterSettings { vibrato, ..none }), message);
    let timescale = Some(Timescale {
        speed: 5.0,
        pitch: 1.0,
        rate: 3.0,
    });
    assert!(bad(FilterSettings { timescale, ..none }).starts_with("timescale takes values with"));
    for (_, settings) in all() {
        assert_eq!(settings.check(), Ok(()));
        assert!(!settings.is_neutral());
    }
    assert!(none.is_neutral());
}

fn swings() -> impl Strategy<Value = Option<Swing>> {
    proptest::option::of(
        (0.001..14.0, 0.0..=1.0).prop_map(|(frequency, depth)| Swing { frequency, depth }),
    )
}

fn any_settings() -> impl Strategy<Value = FilterSettings> {
    let number = || prop_oneof![Just(0.0), Just(1e300), Just(-1e300), -50.0..50.0];
    let shape = proptest::option::of(proptest::array::uniform8(number()));
    let levels = proptest::option::of(proptest::array::uniform4(0.0..=1.0));
    let karaoke = proptest::option::of((0.0..=1.0, 0.0..=1.0, 0.0..=24_000.0, 0.0..=24_000.0));
    let times = proptest::option::of((0.4..2.5, 0.4..2.5, 0.4..2.5));
    let bands = proptest::array::uniform15(-0.25..=1.0);
    let rest = (number(), 1.0..1e9, 0.0..=5.0);
    (
        bands,
        karaoke,
        times,
        swings(),
        swings(),
        shape,
        levels,
        rest,
    )
        .prop_map(
            |(
                equalizer,
                karaoke,
                times,
                tremolo,
                vibrato,
                shape,
                levels,
                (rotation_hz, smoothing, volume),
            )| {
                assert_eq!(equalizer.len(), BANDS);
                FilterSettings {
                    player_volume: 2.0 * volume,
                    volume,
                    equalizer,
                    karaoke: karaoke.map(|(level, mono_level, filter_band, filter_width)| {
                        Karaoke {
                            level,
                            mono_level,
                            filter_band,
                            filter_width,
                        }
                    }),
                    timescale: times.map(|(speed, pitch, rate)| Timescale { speed, pitch, rate }),
                    tremolo,
                    vibrato,
                    rotation: Some(Rotation { rotation_hz }),
                    distortion: shape.map(|[a, b, c, d, e, f, g, h]| Distortion {
                        sin_offset: a,
                        sin_scale: b,
                        cos_offset: c,
                        cos_scale: d,
                        tan_offset: e,
                        tan_scale: f,
                        offset: g,
                        scale: h,
                    }),
                    channel_mix: levels.map(|[a, b, c, d]| ChannelMix {
                        left_to_left: a,
                        left_to_right: b,
                        right_to_left: c,
                        right_to_right: d,
                    }),
                    low_pass: Some(LowPass { smoothing }),
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_comes_out_that_is_no_number_or_beyond_full_scale(
        all in proptest::collection::vec(any_settings(), 1..4),
        seed in any::<u64>(),
    ) {
        let mut state = seed | 1;
        let mut sample = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match state % 61 {
                0 => f32::NAN,
                1 => f32::INFINITY,
                2 => f32::MAX,
                3 => f32::MIN_POSITIVE / 2.0,
                _ => (state >> 40) as f32 / 8_388_608.0 - 1.0,
            }
        };
        let mut chain = FilterChain::default();
        let mut out = Vec::new();
        for settings in all {
            prop_assert_eq!(settings.check(), Ok(()));
            chain.set(&settings);
            let block: Vec<Frame> = (0..5_000).map(|_| [sample(), sample()]).collect();
            run(&mut chain, &block, &mut out);
            run(&mut chain, &vec![[0.0; 2]; 5_000], &mut out);
        }
        chain.finish();
        run(&mut chain, &[], &mut out);
        prop_assert!(out.as_flattened().iter().all(|y| y.abs() <= 1.0));
    }
}
