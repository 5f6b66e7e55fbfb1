//! What each filter costs per 20 ms frame: `cargo bench -p cadenza-audio --bench filters`.
//!
//! Music-like stereo goes through a chain with one filter on, then with all of them, and with none. Time
//! is the least of several rounds, because other programs can only make a round longer.

#![expect(clippy::print_stdout, reason = "a benchmark tells its results")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use cadenza_audio::filters::{
    BANDS, ChannelMix, Distortion, FilterChain, FilterSettings, Karaoke, LowPass, Rotation, Swing,
    Timescale,
};

const FRAME: usize = 960;
/// Frames per round: 10 s of sound.
const FRAMES: usize = 500;
const ROUNDS: usize = 5;

fn main() {
    println!(
        "{:<14} {:>10} {:>16}",
        "filter", "µs/frame", "players per core"
    );
    let mut settings = settings();
    settings.push(("all", together(&settings)));
    for (name, settings) in settings {
        let micros = cost(&settings).as_secs_f64() * 1e6 / FRAMES as f64;
        println!("{name:<14} {micros:>10.2} {:>16.0}", 20_000.0 / micros);
    }
}

fn cost(settings: &FilterSettings) -> Duration {
    let input = sound();
    let rounds = (0..ROUNDS).map(|_| {
        let mut chain = FilterChain::new(settings);
        let began = Instant::now();
        let mut out = [[0.0; 2]; FRAME];
        let mut read = 0;
        for _ in 0..FRAMES {
            let mut made = 0;
            while made < FRAME {
                let (taken, more) = chain.run(&input[2 * read..], &mut out[made..]);
                read = (read + taken) % (input.len() / 2);
                made += more;
            }
            black_box(&out);
        }
        began.elapsed()
    });
    rounds.min().unwrap_or_default()
}

/// Ten seconds of a chord that swells.
fn sound() -> Vec<f32> {
    let tone = |hertz: f64, t: f64| (std::f64::consts::TAU * hertz * t).sin();
    (0..FRAME * FRAMES)
        .flat_map(|n| {
            let t = n as f64 / 48_000.0;
            let swell = 0.6 + 0.4 * tone(1.5, t);
            let left = swell * (0.3 * tone(220.0, t) + 0.15 * tone(440.0, t));
            let right = swell * (0.3 * tone(277.2, t) + 0.15 * tone(554.4, t));
            [left as f32, right as f32]
        })
        .collect()
}

/// Each filter by itself, and none.
fn settings() -> Vec<(&'static str, FilterSettings)> {
    let none = FilterSettings::default();
    let swing = Some(Swing::default());
    let equalizer = [0.2; BANDS];
    let karaoke = Some(Karaoke::default());
    let rotation = Some(Rotation { rotation_hz: 0.2 });
    let distortion = Some(Distortion {
        scale: 0.5,
        ..Distortion::default()
    });
    let channel_mix = Some(ChannelMix {
        left_to_right: 0.5,
        ..ChannelMix::default()
    });
    let low_pass = Some(LowPass::default());
    let timescale = |speed, pitch| {
        Some(Timescale {
            speed,
            pitch,
            rate: 1.0,
        })
    };
    let faster = timescale(1.25, 1.0);
    let higher = timescale(1.0, 1.25);
    vec![
        ("none", none),
        (
            "volume",
            FilterSettings {
                volume: 0.5,
                ..none
            },
        ),
        ("equalizer", FilterSettings { equalizer, ..none }),
        ("karaoke", FilterSettings { karaoke, ..none }),
        (
            "speed",
            FilterSettings {
                timescale: faster,
                ..none
            },
        ),
        (
            "pitch",
            FilterSettings {
                timescale: higher,
                ..none
            },
        ),
        (
            "tremolo",
            FilterSettings {
                tremolo: swing,
                ..none
            },
        ),
        (
            "vibrato",
            FilterSettings {
                vibrato: swing,
                ..none
            },
        ),
        ("rotation", FilterSettings { rotation, ..none }),
        ("distortion", FilterSettings { distortion, ..none }),
        (
            "channel mix",
            FilterSettings {
                channel_mix,
                ..none
            },
        ),
        ("low pass", FilterSettings { low_pass, ..none }),
    ]
}

/// Everything at once.
fn together(singles: &[(&'static str, FilterSettings)]) -> FilterSettings {
    let none = FilterSettings::default();
    singles.iter().fold(none, |all, (_, one)| FilterSettings {
        volume: all.volume * one.volume,
        equalizer: if one.equalizer == none.equalizer {
            all.equalizer
        } else {
            one.equalizer
        },
        karaoke: one.karaoke.or(all.karaoke),
        timescale: one.timescale.or(all.timescale),
        tremolo: one.tremolo.or(all.tremolo),
        vibrato: one.vibrato.or(all.vibrato),
        rotation: one.rotation.or(all.rotation),
        distortion: one.distortion.or(all.distortion),
        channel_mix: one.channel_mix.or(all.channel_mix),
        low_pass: one.low_pass.or(all.low_pass),
        ..all
    })
}
