//! Decoded blocks to one stream of stereo at 48 kHz, with every sample accounted for.

use symphonia::core::audio::Channels;

use crate::decode::{Block, MediaReader};
use crate::error::AudioError;
use crate::mix::Mixer;
use crate::opus_pcm::OpusPcm;
use crate::raw_pcm::RawPcm;
use crate::resample::Resampler;

/// Samples at 48 kHz in a millisecond.
const SAMPLES_PER_MS: i64 = 48;

/// What is decoded.
pub(crate) enum PcmSource {
    Media(Box<MediaReader>),
    Opus(Box<OpusPcm>),
    Raw(Box<RawPcm>),
}

impl PcmSource {
    fn next_block(&mut self) -> Result<Option<Block>, AudioError> {
        match self {
            PcmSource::Media(reader) => reader.next_block(),
            PcmSource::Opus(reader) => reader.next_block(),
            PcmSource::Raw(reader) => reader.next_block(),
        }
    }

    fn seek(&mut self, target: i64, rate: u32) -> Result<Option<i64>, AudioError> {
        match self {
            PcmSource::Media(reader) => reader.seek(target, rate),
            PcmSource::Opus(reader) => reader.seek(target),
            PcmSource::Raw(reader) => Ok(reader.seek(target)),
        }
    }
}

/// A source as interleaved stereo at 48 kHz, from one place to another.
pub(crate) struct PcmStream {
    source: PcmSource,
    /// The shape of the blocks, and what was built for it.
    rate: u32,
    mixer: Mixer,
    resampler: Resampler,
    stereo: Vec<f32>,
    /// Where the sound is wanted from, in samples of the source.
    wanted_from: i64,
    /// The same place at 48 kHz, and where the track has to stop.
    start: i64,
    end: Option<i64>,
    /// Samples at 48 kHz given out since `start`.
    produced: i64,
    ended: bool,
    /// A block that was read to learn the shape.
    first: Option<Block>,
}

impl PcmStream {
    /// Prepares the sound between `start_ms` and `end_ms` of source time.
    ///
    /// With `sought` the source stands at `start_ms` already.
    pub(crate) fn new(
        mut source: PcmSource,
        start_ms: u64,
        end_ms: Option<u64>,
        sought: bool,
    ) -> Result<PcmStream, AudioError> {
        let first = source.next_block()?;
        let (rate, channels) = first.as_ref().map_or((1, Channels::None), |block| {
            (block.rate, block.channels.clone())
        });
        let mut stream = PcmStream {
            source,
            rate,
            mixer: Mixer::new(&channels),
            resampler: Resampler::new(rate),
            stereo: Vec::new(),
            wanted_from: scaled(start_ms, rate),
            start: at_48_khz(start_ms),
            end: end_ms.map(at_48_khz),
            produced: 0,
            ended: first.is_none(),
            first,
        };
        if start_ms > 0 && !sought {
            stream.seek(start_ms)?;
        }
        Ok(stream)
    }

    /// Where the next sample lies, in samples of source time at 48 kHz.
    pub(crate) fn position(&self) -> i64 {
        self.start.saturating_add(self.produced)
    }

    /// Appends what one more block gives to `out`; `false` once there is no more.
    pub(crate) fn pull(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        if self.ended {
            return Ok(false);
        }
        let before = out.len();
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.source.next_block()?,
        };
        match next {
            Some(block) => self.take_block(&block, out),
            None => {
                self.resampler.finish(out);
                self.ended = true;
            }
        }
        self.account(before, out);
        Ok(!self.ended)
    }

    /// Goes to the sample that `position_ms` names; returns the place that was reached.
    pub(crate) fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        let target = scaled(position_ms, self.rate);
        self.first = None;
        let reached = self.source.seek(target, self.rate)?;
        self.resampler.reset();
        self.produced = 0;
        self.wanted_from = target;
        self.start = at_48_khz(position_ms);
        self.ended = reached.is_none() || self.end.is_some_and(|end| end <= self.start);
        if let Some(late) = reached.filter(|&reached| reached > target) {
            // The container went too far: say so rather than claim the place that was asked for.
            self.wanted_from = late;
            let late_ms = u128::from(late.max(0) as u64) * 1000 / u128::from(self.rate);
            self.start = at_48_khz(u64::try_from(late_ms).unwrap_or(u64::MAX));
        }
        Ok((self.start / SAMPLES_PER_MS) as u64)
    }

    fn take_block(&mut self, block: &Block, out: &mut Vec<f32>) {
        let mixer = Mixer::new(&block.channels);
        if mixer != self.mixer {
            self.mixer = mixer;
        }
        if block.rate != self.rate {
            self.resampler.finish(out);
            self.resampler = Resampler::new(block.rate);
            self.rate = block.rate;
        }
        let early = self.wanted_from.saturating_sub(block.start).max(0) as usize;
        let skipped = early
            .saturating_mul(self.mixer.channels())
            .min(block.samples.len());
        self.stereo.clear();
        self.mixer.mix(&block.samples[skipped..], &mut self.stereo);
        self.resampler.process(&self.stereo, out);
    }

    /// Counts what has come since `before` and cuts it at the end that was asked for.
    fn account(&mut self, before: usize, out: &mut Vec<f32>) {
        self.produced += ((out.len() - before) / 2) as i64;
        let Some(end) = self.end else { return };
        let allowed = end.saturating_sub(self.start).max(0);
        if self.produced >= allowed {
            let excess = usize::try_from(2 * (self.produced - allowed)).unwrap_or(usize::MAX);
            out.truncate(out.len().saturating_sub(excess).max(before));
            self.produced = allowed;
            self.ended = true;
        }
    }
}

/// Milliseconds as samples at 48 kHz; places beyond all files stay in range.
fn at_48_khz(milliseconds: u64) -> i64 {
    scaled(milliseconds, 48_000)
}

fn scaled(milliseconds: u64, rate: u32) -> i64 {
    let samples = u128::from(milliseconds) * u128::from(rate) / 1000;
    i64::try_from(samples).unwrap_or(i64::MAX).min(i64::MAX / 4)
}
