//! Any settings that pass the check, changed at any time, on any samples: nothing panics, and what
//! comes out is a number within full scale.

#![no_main]

use cadenza_audio::filters::{
    ChannelMix, Distortion, FilterChain, FilterSettings, Karaoke, LowPass, Rotation, Swing,
    Timescale,
};
use libfuzzer_sys::fuzz_target;

/// Frames made per round, so that a slow timescale does not take for ever.
const MOST: usize = 48_000;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut chain = FilterChain::default();
    let mut out = [[0.0; 2]; 960];
    for _ in 0..4 {
        let settings = settings(&mut bytes);
        if settings.check().is_ok() {
            chain.set(&settings);
        }
        let input: Vec<f32> = (0..4_000).map(|n| bytes.sample(n)).collect();
        let (mut taken, mut total) = (0, 0);
        loop {
            let (more, made) = chain.run(&input[2 * taken..], &mut out);
            taken += more;
            total += made;
            let loudest = out[..made].as_flattened().iter().fold(0.0_f32, |most, y| {
                assert!(y.is_finite());
                most.max(y.abs())
            });
            assert!(loudest <= 1.0);
            if made < out.len() || total > MOST {
                break;
            }
        }
    }
});

/// The input, read from the front; zeros once it is used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let count = N.min(self.0.len());
        taken[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        taken
    }

    /// A number of a few steps, or any bits at all.
    fn number(&mut self) -> f64 {
        match self.take::<1>()[0] {
            0 => f64::from_bits(u64::from_le_bytes(self.take())),
            small => f64::from(small) / 64.0 - 0.25,
        }
    }

    fn sample(&mut self, n: usize) -> f32 {
        match self.0.is_empty() {
            true => (n as f32 * 0.1).sin(),
            false => f32::from_bits(u32::from_le_bytes(self.take())),
        }
    }
}

fn settings(bytes: &mut Bytes<'_>) -> FilterSettings {
    let mut settings = FilterSettings::default();
    let [present] = bytes.take();
    let on = |bit: u8| present >> bit & 1 == 1;
    if on(0) {
        settings.equalizer = [(); 15].map(|()| bytes.number() / 4.0);
        settings.volume = bytes.number();
        settings.player_volume = bytes.number();
    }
    settings.karaoke = on(1).then(|| Karaoke {
        level: bytes.number(),
        mono_level: bytes.number(),
        filter_band: bytes.number() * 6_000.0,
        filter_width: bytes.number() * 6_000.0,
    });
    settings.timescale = on(2).then(|| Timescale {
        speed: bytes.number(),
        pitch: bytes.number(),
        rate: bytes.number(),
    });
    let mut swing = |on: bool| {
        on.then(|| Swing {
            frequency: bytes.number(),
            depth: bytes.number(),
        })
    };
    settings.tremolo = swing(on(3));
    settings.vibrato = swing(on(4));
    settings.rotation = on(5).then(|| Rotation {
        rotation_hz: bytes.number(),
    });
    settings.distortion = on(6).then(|| Distortion {
        sin_offset: bytes.number(),
        sin_scale: bytes.number(),
        cos_offset: bytes.number(),
        cos_scale: bytes.number(),
        tan_offset: bytes.number(),
        tan_scale: bytes.number(),
        offset: bytes.number(),
        scale: bytes.number(),
    });
    settings.channel_mix = on(7).then(|| ChannelMix {
        left_to_left: bytes.number(),
        left_to_right: bytes.number(),
        right_to_left: bytes.number(),
        right_to_right: bytes.number(),
    });
    settings.low_pass = on(7).then(|| LowPass {
        smoothing: bytes.number() * 10.0,
    });
    settings
}
