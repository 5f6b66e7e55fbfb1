//! Timescale: speed and pitch, each by itself, as a time stretch with a resampler behind it.

use super::Frame;
use super::pitch::Pitch;
use super::settings::Timescale as Settings;
use super::stretch::Stretch;

#[derive(Clone, Debug)]
pub(super) struct Timescale {
    stretch: Stretch,
    pitch: Pitch,
    /// Input frames per frame of the stretcher.
    tempo: f64,
    /// Frames of the stretcher per output frame.
    factor: f64,
}

impl Timescale {
    pub(super) fn new() -> Timescale {
        Timescale {
            stretch: Stretch::new(),
            pitch: Pitch::new(),
            tempo: 1.0,
            factor: 1.0,
        }
    }

    pub(super) fn set(&mut self, settings: Option<Settings>) {
        let Settings { speed, pitch, rate } = settings.unwrap_or_default();
        // Raising the pitch by resampling shortens the sound; the stretcher makes up for it.
        self.tempo = speed / pitch;
        self.factor = pitch * rate;
        self.stretch.set(self.tempo);
        self.pitch.set(self.factor);
    }

    pub(super) fn reset(&mut self) {
        self.stretch.reset();
        self.pitch.reset();
    }

    /// Whether sound goes through with nothing held back.
    pub(super) fn is_neutral(&self) -> bool {
        self.stretch.is_neutral() && self.pitch.is_neutral()
    }

    pub(super) fn feed(&mut self, frames: &[Frame]) {
        self.stretch.feed(frames);
    }

    pub(super) fn finish(&mut self) {
        self.stretch.finish();
    }

    pub(super) fn pull(&mut self, out: &mut [Frame]) -> usize {
        self.pitch.pull(&mut self.stretch, out)
    }

    /// Frames to feed before `count` more can be pulled, or at least some.
    pub(super) fn missing(&self, count: usize) -> usize {
        // A frame too many would lie here for good when nothing else is held back.
        let between = usize::from(!self.pitch.is_straight());
        self.stretch
            .missing((count as f64 * self.factor) as usize + between)
    }

    /// Input frames that were fed and are not heard yet.
    pub(super) fn pending(&self) -> f64 {
        self.stretch.pending() + self.pitch.pending() * self.tempo
    }

    /// Input frames per output frame.
    pub(super) fn pace(&self) -> f64 {
        self.tempo * self.factor
    }
}
