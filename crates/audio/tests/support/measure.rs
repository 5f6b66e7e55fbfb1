//! Measuring sound: level, frequency and swing of sines, by least squares and zero crossings.

use std::f64::consts::TAU;

use cadenza_audio::filters::{FilterChain, FilterSettings, Frame};

pub const RATE: f64 = 48_000.0;

/// So many frames of a sine, with its own level on each side.
pub fn sine(hertz: f64, levels: [f64; 2], frames: usize) -> Vec<Frame> {
    (0..frames)
        .map(|n| {
            let value = (TAU * hertz * n as f64 / RATE).sin();
            levels.map(|level| (level * value) as f32)
        })
        .collect()
}

/// All that a chain makes of `input`, given in blocks of so many frames.
pub fn filtered(chain: &mut FilterChain, input: &[Frame], block: usize) -> Vec<Frame> {
    let mut out = Vec::new();
    for block in input.chunks(block) {
        run(chain, block, &mut out);
    }
    out
}

/// What these settings make of `input`, with its end.
pub fn with(settings: &FilterSettings, input: &[Frame]) -> Vec<Frame> {
    let mut chain = FilterChain::new(settings);
    let mut out = filtered(&mut chain, input, 960);
    chain.finish();
    run(&mut chain, &[], &mut out);
    out
}

/// Appends all that the chain makes of a block.
pub fn run(chain: &mut FilterChain, block: &[Frame], out: &mut Vec<Frame>) {
    let mut room = [[0.0; 2]; 777];
    let mut taken = 0;
    loop {
        let (more, made) = chain.run(block[taken..].as_flattened(), &mut room);
        taken += more;
        out.extend(&room[..made]);
        if made < room.len() {
            assert_eq!(taken, block.len(), "input is left although room is");
            return;
        }
    }
}

/// One channel.
pub fn channel(frames: &[Frame], channel: usize) -> Vec<f64> {
    frames
        .iter()
        .map(|frame| f64::from(frame[channel]))
        .collect()
}

/// The amplitude of the sine of `hertz` in `samples`, by a least-squares fit.
pub fn amplitude(samples: &[f64], hertz: f64) -> f64 {
    let (a, b) = fit(samples, hertz);
    a.hypot(b)
}

/// Amplitudes of sine and cosine.
pub fn fit(samples: &[f64], hertz: f64) -> (f64, f64) {
    let (mut ss, mut cc, mut sc, mut ys, mut yc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, y) in samples.iter().enumerate() {
        let (s, c) = (TAU * hertz * n as f64 / RATE).sin_cos();
        ss += s * s;
        cc += c * c;
        sc += s * c;
        ys += y * s;
        yc += y * c;
    }
    let det = ss * cc - sc * sc;
    ((ys * cc - yc * sc) / det, (yc * ss - ys * sc) / det)
}

/// Decibels of an amplitude ratio.
pub fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-12).log10()
}

/// The strongest frequency in Hz: the peak of a windowed spectrum, refined until it moves no more.
pub fn pitch(samples: &[f64]) -> f64 {
    let len = samples.len() as f64;
    let windowed: Vec<f64> = samples
        .iter()
        .enumerate()
        .map(|(n, y)| y * (0.5 - 0.5 * (TAU * n as f64 / len).cos()))
        .collect();
    let power = |hertz: f64| {
        let (mut re, mut im) = (0.0, 0.0);
        let (step_sin, step_cos) = (TAU * hertz / RATE).sin_cos();
        let (mut sin, mut cos) = (0.0_f64, 1.0_f64);
        for y in &windowed {
            re += y * cos;
            im += y * sin;
            (sin, cos) = (
                sin * step_cos + cos * step_sin,
                cos * step_cos - sin * step_sin,
            );
        }
        re * re + im * im
    };
    let mut step = RATE / len;
    let mut best = best_of((1..4_000).map(|bin| f64::from(bin) * step), power);
    while step > 1e-3 {
        step /= 2.0;
        best = best_of([best - step, best, best + step].into_iter(), power);
    }
    best
}

fn best_of(candidates: impl Iterator<Item = f64>, power: impl Fn(f64) -> f64) -> f64 {
    let scored = candidates.map(|hertz| (power(hertz), hertz));
    scored
        .fold(
            (0.0, 0.0),
            |best, next| if next.0 > best.0 { next } else { best },
        )
        .1
}

/// Frequency over time of a sine near `hertz`: its phase against a steady one, every `step` samples.
pub fn pitch_track(samples: &[f64], hertz: f64, step: usize) -> Vec<f64> {
    let window = 10 * (RATE / hertz) as usize;
    let places = (0..).map(|n| n * step);
    let phases: Vec<f64> = places
        .take_while(|at| at + window <= samples.len())
        .map(|at| {
            let (mut re, mut im) = (0.0, 0.0);
            for n in 0..window {
                let weight = 0.5 - 0.5 * (TAU * (n as f64 + 0.5) / window as f64).cos();
                let (s, c) = (TAU * hertz * (at + n) as f64 / RATE).sin_cos();
                re += weight * samples[at + n] * s;
                im += weight * samples[at + n] * c;
            }
            im.atan2(re) / TAU
        })
        .collect();
    let turns = phases.windows(2).map(|pair| pair[1] - pair[0]);
    turns
        .map(|turn| hertz + (turn - turn.round()) * RATE / step as f64)
        .collect()
}

/// How often a signal around 0 rises through it per sample, from the first time to the last.
pub fn swings(samples: &[f64]) -> f64 {
    let rising: Vec<f64> = samples
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] < 0.0 && pair[1] >= 0.0)
        .map(|(n, pair)| n as f64 + pair[0] / (pair[0] - pair[1]))
        .collect();
    match (rising.first(), rising.last()) {
        (Some(first), Some(last)) => (rising.len() - 1) as f64 / (last - first),
        _ => 0.0,
    }
}

/// The largest jump of the fourth difference: near 0 for a smooth sound, large where it clicks.
pub fn roughness(samples: &[f64]) -> f64 {
    let fourth = |w: &[f64]| w[0] - 4.0 * w[1] + 6.0 * w[2] - 4.0 * w[3] + w[4];
    samples
        .windows(5)
        .map(|w| fourth(w).abs())
        .fold(0.0, f64::max)
}
