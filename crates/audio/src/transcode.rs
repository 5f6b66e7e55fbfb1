//! Decoded blocks to Opus frames: mix, resample, encode, with every sample accounted for.

use symphonia::core::audio::Channels;

use crate::decode::{Block, MediaReader};
use crate::error::{AudioError, AudioErrorCode};
use crate::mix::Mixer;
use crate::options::{EncoderSettings, FrameInfo};
use crate::opus::{Encoder, OpusError};
use crate::opus_pcm::OpusPcm;
use crate::resample::Resampler;
use crate::{FRAME_SAMPLES, MAX_OPUS_FRAME};

/// Samples at 48 kHz in a millisecond.
const SAMPLES_PER_MS: u64 = 48;

/// What is decoded.
pub(crate) enum PcmSource {
    Media(Box<MediaReader>),
    Opus(Box<OpusPcm>),
}

impl PcmSource {
    fn next_block(&mut self) -> Result<Option<Block>, AudioError> {
        match self {
            PcmSource::Media(reader) => reader.next_block(),
            PcmSource::Opus(reader) => reader.next_block(),
        }
    }

    fn seek(&mut self, target: i64, rate: u32) -> Result<Option<i64>, AudioError> {
        match self {
            PcmSource::Media(reader) => reader.seek(target, rate),
            PcmSource::Opus(reader) => reader.seek(target),
        }
    }
}

/// A decoded track on its way to Opus.
pub(crate) struct Transcode {
    source: PcmSource,
    encoder: Encoder,
    /// The shape of the blocks, and what was built for it.
    rate: u32,
    mixer: Mixer,
    resampler: Resampler,
    stereo: Vec<f32>,
    /// Interleaved stereo at 48 kHz that waits to be encoded.
    ready: Vec<f32>,
    /// Where the sound is wanted from, in samples of the source.
    wanted_from: i64,
    /// The same place at 48 kHz, and where the track has to stop.
    start: u64,
    end: Option<u64>,
    /// Samples at 48 kHz since `start`: given to `ready`, and taken out as frames.
    produced: u64,
    encoded: u64,
    source_ended: bool,
}

impl Transcode {
    /// Prepares the frames between `start_ms` and `end_ms` of source time.
    ///
    /// With `sought` the source stands at `start_ms` already.
    pub(crate) fn new(
        mut source: PcmSource,
        settings: &EncoderSettings,
        start_ms: u64,
        end_ms: Option<u64>,
        sought: bool,
    ) -> Result<Transcode, AudioError> {
        let first = source.next_block()?;
        let (rate, channels) = first.as_ref().map_or((1, Channels::None), |block| {
            (block.rate, block.channels.clone())
        });
        let mut transcode = Transcode {
            source,
            encoder: Encoder::new(settings).map_err(codec_failed)?,
            rate,
            mixer: Mixer::new(&channels),
            resampler: Resampler::new(rate),
            stereo: Vec::new(),
            ready: Vec::new(),
            wanted_from: samples(start_ms, rate),
            start: start_ms.saturating_mul(SAMPLES_PER_MS),
            end: end_ms.map(|end| end.saturating_mul(SAMPLES_PER_MS)),
            produced: 0,
            encoded: 0,
            source_ended: first.is_none(),
        };
        if start_ms > 0 && !sought {
            transcode.seek(start_ms)?;
        } else if let Some(first) = first {
            transcode.take_block(first);
        }
        Ok(transcode)
    }

    /// Encodes the next frame.
    pub(crate) fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, AudioError> {
        while self.ready.len() < 2 * FRAME_SAMPLES && !self.source_ended {
            self.pull()?;
        }
        // The encoder's output lags behind, so the end of the sound needs that many samples more.
        let lookahead = u64::from(self.encoder.lookahead());
        if self.source_ended && (self.produced == 0 || self.encoded >= self.produced + lookahead) {
            return Ok(None);
        }
        let mut pcm = [0.0; 2 * FRAME_SAMPLES];
        let count = self.ready.len().min(pcm.len());
        pcm[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        let len = self.encoder.encode(&pcm, out).map_err(codec_failed)?;
        self.encoded += FRAME_SAMPLES as u64;
        let heard = self.encoded.saturating_sub(lookahead).min(self.produced);
        Ok(Some(FrameInfo {
            len,
            position_ms: (self.start + heard) / SAMPLES_PER_MS,
        }))
    }

    /// Goes to the sample that `position_ms` names.
    pub(crate) fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        let rate = u64::from(self.rate);
        let target = position_ms.checked_mul(rate).map(|scaled| scaled / 1000);
        let target = target
            .and_then(|target| i64::try_from(target).ok())
            .unwrap_or(i64::MAX / 2);
        let reached = self.source.seek(target, self.rate)?;
        self.encoder.reset().map_err(codec_failed)?;
        self.resampler.reset();
        self.ready.clear();
        self.produced = 0;
        self.encoded = 0;
        self.wanted_from = target;
        self.start = position_ms.saturating_mul(SAMPLES_PER_MS);
        self.source_ended = reached.is_none() || self.end.is_some_and(|end| end <= self.start);
        if let Some(late) = reached.filter(|&reached| reached > target) {
            // The container went too far: say so rather than claim the place that was asked for.
            self.wanted_from = late;
            let late_ms = u128::from(late.max(0) as u64) * 1000 / u128::from(self.rate);
            self.start = (late_ms as u64).saturating_mul(SAMPLES_PER_MS);
        }
        Ok(self.start / SAMPLES_PER_MS)
    }

    fn pull(&mut self) -> Result<(), AudioError> {
        match self.source.next_block()? {
            Some(block) => self.take_block(block),
            None => {
                self.resampler.finish(&mut self.ready);
                self.source_ended = true;
                self.account();
            }
        }
        Ok(())
    }

    fn take_block(&mut self, block: Block) {
        let mixer = Mixer::new(&block.channels);
        if mixer != self.mixer {
            self.mixer = mixer;
        }
        if block.rate != self.rate {
            self.resampler.finish(&mut self.ready);
            self.resampler = Resampler::new(block.rate);
            self.rate = block.rate;
        }
        let early = self.wanted_from.saturating_sub(block.start).max(0) as usize;
        let skipped = early
            .saturating_mul(self.mixer.channels())
            .min(block.samples.len());
        self.stereo.clear();
        self.mixer.mix(&block.samples[skipped..], &mut self.stereo);
        self.resampler.process(&self.stereo, &mut self.ready);
        self.account();
    }

    /// Counts what has become ready and cuts it at the end that was asked for.
    fn account(&mut self) {
        self.produced = self.encoded + self.ready.len() as u64 / 2;
        let Some(end) = self.end else { return };
        let allowed = end.saturating_sub(self.start);
        if self.produced >= allowed {
            let excess = usize::try_from(2 * (self.produced - allowed)).unwrap_or(usize::MAX);
            self.ready.truncate(self.ready.len().saturating_sub(excess));
            self.produced = allowed;
            self.source_ended = true;
        }
    }
}

pub(crate) fn codec_failed(error: OpusError) -> AudioError {
    AudioError::new(AudioErrorCode::CodecFailed, "opus", error.to_string())
}

/// Milliseconds as samples at `rate` Hz; places beyond all files stay in range.
fn samples(milliseconds: u64, rate: u32) -> i64 {
    let samples = u128::from(milliseconds) * u128::from(rate) / 1000;
    i64::try_from(samples).unwrap_or(i64::MAX).min(i64::MAX / 4)
}
