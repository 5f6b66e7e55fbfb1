//! A decoded track on its way to Opus.

use crate::MAX_OPUS_FRAME;
use crate::error::{AudioError, AudioErrorCode};
use crate::filters::FilterSettings;
use crate::options::{EncoderSettings, FrameInfo};
use crate::opus::OpusError;
use crate::pcm_stream::{PcmSource, PcmStream};
use crate::renderer::{Rendered, Renderer};

/// Samples at 48 kHz in a millisecond.
const SAMPLES_PER_MS: i64 = 48;

/// Decoder, filters and encoder of one track.
pub(crate) struct Transcode {
    stream: PcmStream,
    renderer: Renderer,
    /// Where the sound began, in samples at 48 kHz.
    start: i64,
}

impl Transcode {
    /// Prepares the frames between `start_ms` and `end_ms` of source time.
    ///
    /// With `sought` the source stands at `start_ms` already.
    pub(crate) fn new(
        source: PcmSource,
        (encoder, filters): (&EncoderSettings, &FilterSettings),
        start_ms: u64,
        end_ms: Option<u64>,
        sought: bool,
    ) -> Result<Transcode, AudioError> {
        let stream = PcmStream::new(source, start_ms, end_ms, sought)?;
        let start = stream.position();
        Ok(Transcode {
            renderer: Renderer::new(encoder, filters, start)?,
            stream,
            start,
        })
    }

    /// Encodes the next frame.
    pub(crate) fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, AudioError> {
        loop {
            match self.renderer.next(out)? {
                Rendered::Frame(len) => {
                    let heard = self.renderer.heard().max(self.start);
                    let position_ms = (heard / SAMPLES_PER_MS).max(0) as u64;
                    return Ok(Some(FrameInfo { len, position_ms }));
                }
                Rendered::NeedsSound => {
                    if !self.stream.pull(self.renderer.sound())? {
                        self.renderer.end_sound();
                    }
                }
                Rendered::End => return Ok(None),
            }
        }
    }

    /// Goes to the sample that `position_ms` names.
    pub(crate) fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        let reached = self.stream.seek(position_ms)?;
        self.start = self.stream.position();
        self.renderer.restart(self.start)?;
        Ok(reached)
    }

    /// As [`Renderer::set_encoder`].
    pub(crate) fn set_encoder(&mut self, settings: &EncoderSettings) -> Result<(), AudioError> {
        self.renderer.set_encoder(settings)
    }

    /// As [`Renderer::set_filters`].
    pub(crate) fn set_filters(
        &mut self,
        filters: &FilterSettings,
        back: usize,
    ) -> Result<usize, AudioError> {
        self.renderer.set_filters(filters, back)
    }

    /// As [`Renderer::keep`].
    pub(crate) fn keep(&mut self, frames: usize) {
        self.renderer.keep(frames);
    }
}

pub(crate) fn codec_failed(error: OpusError) -> AudioError {
    AudioError::new(AudioErrorCode::CodecFailed, "opus", error.to_string())
}
