//! Filters: what may be done to the sound between decoder and encoder.
//!
//! ```text
//! low pass → channel mix → rotation → distortion → vibrato → tremolo → timescale → karaoke
//!          → equalizer → volume → limiter
//! ```
//!
//! That is Lavalink's order. Every filter is always there; one that changes nothing is skipped. A
//! change of settings never clicks: gains glide to their new values within 10 ms, swings keep their
//! phase, the time stretch goes on from the sound it is playing. So there is no switching between
//! two chains, and clearing all filters is just another change, after which [`FilterChain::is_idle`]
//! tells that the chain can be taken away.
//!
//! Everything is synchronous and, apart from the timescale's buffers, allocates nothing.

mod channel_mix;
mod distortion;
mod equalizer;
mod karaoke;
mod lfo;
mod limiter;
mod low_pass;
mod pitch;
mod ramp;
mod rotation;
mod settings;
mod stretch;
mod timescale;
mod tremolo;
mod vibrato;
mod volume;

pub use settings::{
    BANDS, ChannelMix, Distortion, FilterSettings, Karaoke, LowPass, OutOfRange, Rotation, Swing,
    Timescale, volume_gain,
};

/// One sample of each channel, left and right.
pub type Frame = [f32; 2];

/// Frames that go through the filters at once.
const PIECE: usize = 480;
/// Samples are held within this before anything else; full scale is 1.
const LOUDEST: f32 = 8.0;

/// All filters of one track, in their order.
#[derive(Clone, Debug)]
pub struct FilterChain {
    low_pass: low_pass::LowPass,
    channel_mix: channel_mix::ChannelMix,
    rotation: rotation::Rotation,
    distortion: distortion::Distortion,
    vibrato: vibrato::Vibrato,
    tremolo: tremolo::Tremolo,
    timescale: timescale::Timescale,
    karaoke: karaoke::Karaoke,
    equalizer: equalizer::Equalizer,
    volume: volume::Volume,
}

impl Default for FilterChain {
    fn default() -> FilterChain {
        FilterChain {
            low_pass: low_pass::LowPass::new(),
            channel_mix: channel_mix::ChannelMix::new(),
            rotation: rotation::Rotation::new(),
            distortion: distortion::Distortion::new(),
            vibrato: vibrato::Vibrato::new(),
            tremolo: tremolo::Tremolo::new(),
            timescale: timescale::Timescale::new(),
            karaoke: karaoke::Karaoke::new(),
            equalizer: equalizer::Equalizer::new(),
            volume: volume::Volume::new(),
        }
    }
}

impl FilterChain {
    /// A chain that begins with these settings, with no glide from silence or neutrality.
    ///
    /// Settings outside their ranges are the caller's mistake: check them before.
    pub fn new(settings: &FilterSettings) -> FilterChain {
        let mut chain = FilterChain::default();
        chain.set(settings);
        chain.low_pass.settle();
        chain.channel_mix.settle();
        chain.rotation.settle();
        chain.distortion.settle();
        chain.vibrato.settle();
        chain.tremolo.settle();
        chain.karaoke.settle();
        chain.equalizer.settle();
        chain.volume.settle();
        chain
    }

    /// Changes the settings; the sound follows within 10 ms, or at the next segment of the timescale.
    pub fn set(&mut self, settings: &FilterSettings) {
        self.low_pass.set(settings.low_pass);
        self.channel_mix.set(settings.channel_mix);
        self.rotation.set(settings.rotation);
        self.distortion.set(settings.distortion);
        self.vibrato.set(settings.vibrato);
        self.tremolo.set(settings.tremolo);
        self.timescale.set(settings.timescale);
        self.karaoke.set(settings.karaoke);
        self.equalizer.set(&settings.equalizer);
        let gain = volume_gain(settings.volume) * volume_gain(settings.player_volume);
        self.volume.set(gain);
    }

    /// Makes up to `out.len()` frames from as much of `input` (interleaved stereo) as that takes.
    ///
    /// Returns the frames taken and the frames made; the input was too short when fewer were made
    /// than asked for.
    pub fn run(&mut self, input: &[f32], out: &mut [Frame]) -> (usize, usize) {
        let input = input.as_chunks::<2>().0;
        let mut piece = [[0.0; 2]; PIECE];
        let (mut taken, mut made) = (0, 0);
        loop {
            let count = self.timescale.pull(&mut out[made..]);
            self.after_timescale(&mut out[made..made + count]);
            made += count;
            if made == out.len() || taken == input.len() {
                return (taken, made);
            }
            let wanted = self.timescale.missing(out.len() - made).min(PIECE);
            let count = wanted.min(input.len() - taken);
            let piece = &mut piece[..count];
            piece.copy_from_slice(&input[taken..taken + count]);
            self.before_timescale(piece);
            self.timescale.feed(piece);
            taken += count;
        }
    }

    /// Says that no more input comes: what is held back is made by [`run`](FilterChain::run) with
    /// none.
    pub fn finish(&mut self) {
        self.timescale.finish();
    }

    /// Forgets the sound, as after a seek. Settings stay.
    pub fn reset(&mut self) {
        self.low_pass.reset();
        self.rotation.reset();
        self.vibrato.reset();
        self.tremolo.reset();
        self.timescale.reset();
        self.karaoke.reset();
        self.equalizer.reset();
    }

    /// Whether the chain changes nothing and holds nothing back.
    pub fn is_idle(&self) -> bool {
        self.low_pass.is_neutral()
            && self.channel_mix.is_neutral()
            && self.rotation.is_neutral()
            && self.distortion.is_neutral()
            && self.vibrato.is_neutral()
            && self.tremolo.is_neutral()
            && self.timescale.is_neutral()
            && self.karaoke.is_neutral()
            && self.equalizer.is_neutral()
            && self.volume.is_neutral()
    }

    /// Input frames that were taken and are not heard yet.
    pub fn pending(&self) -> f64 {
        self.timescale.pending()
    }

    /// Input frames per output frame: above 1 the sound goes faster.
    pub fn pace(&self) -> f64 {
        self.timescale.pace()
    }

    fn before_timescale(&mut self, frames: &mut [Frame]) {
        for frame in frames.iter_mut() {
            *frame = frame.map(held);
        }
        if self.low_pass.is_neutral() {
            self.low_pass.note(frames);
        } else {
            self.low_pass.process(frames);
        }
        if !self.channel_mix.is_neutral() {
            self.channel_mix.process(frames);
        }
        if !self.rotation.is_neutral() {
            self.rotation.process(frames);
        }
        if !self.distortion.is_neutral() {
            self.distortion.process(frames);
        }
        if self.vibrato.is_neutral() {
            self.vibrato.note(frames);
        } else {
            self.vibrato.process(frames);
        }
        if !self.tremolo.is_neutral() {
            self.tremolo.process(frames);
        }
    }

    fn after_timescale(&mut self, frames: &mut [Frame]) {
        if !self.karaoke.is_neutral() {
            self.karaoke.process(frames);
        }
        if !self.equalizer.is_neutral() {
            self.equalizer.process(frames);
        }
        if !self.volume.is_neutral() {
            self.volume.process(frames);
        }
        limiter::limit(frames);
    }
}

/// A finite sample of a level that no filter can drive out of range.
fn held(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(-LOUDEST, LOUDEST)
    }
}

/// Zero for values so small that the processor would slow down on them.
fn without_denormal(value: f32) -> f32 {
    if value.abs() < 1e-20 { 0.0 } else { value }
}
