//! What a decode worker pulls frames from, and how it gets opened: the seam that tests replace.

use cadenza_audio::filters::FilterSettings;
use cadenza_audio::{
    ByteSource, EncoderSettings, FrameInfo, MAX_OPUS_FRAME, OpenOptions, ProbeHint, Track,
    TrackInfo,
};

use super::error::FeedError;
use super::pushed::PushedShape;

/// Hands out 20 ms Opus packets. `cadenza_audio::Track` is the implementation that plays.
pub trait FrameSource: Send {
    /// What is known about the source.
    fn info(&self) -> TrackInfo;
    /// Writes the next packet to `out`; `None` is the end.
    fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, FeedError>;
    /// Moves to `position_ms` of source time.
    fn seek(&mut self, position_ms: u64) -> Result<(), FeedError>;
    /// Changes what is done to the sound. Up to `back` of the frames handed out last come again, with
    /// the new settings; returns how many do. Sources that cannot change their sound ignore it.
    fn set_filters(&mut self, filters: &FilterSettings, back: usize) -> Result<usize, FeedError> {
        let _ = (filters, back);
        Ok(0)
    }
    /// Says that only the last `frames` of those handed out may be asked for again.
    fn keep(&mut self, frames: usize) {
        let _ = frames;
    }
    /// Takes on encoder settings from the next frame on. Sources that encode nothing ignore them.
    fn set_encoder(&mut self, settings: &EncoderSettings) -> Result<(), FeedError> {
        let _ = settings;
        Ok(())
    }
}

/// Turns bytes into a [`FrameSource`].
pub trait OpenFrames: Send + Sync {
    /// Recognises the content and prepares the first frame. May block in reads of `bytes`.
    fn open(
        &self,
        bytes: Box<dyn ByteSource>,
        hint: &ProbeHint,
        options: &OpenOptions,
    ) -> Result<Box<dyn FrameSource>, FeedError>;
}

/// Opens what is handed over from outside.
pub(super) fn open_pushed(
    bytes: Box<dyn ByteSource>,
    shape: PushedShape,
    opener: &dyn OpenFrames,
    options: &OpenOptions,
) -> Result<Box<dyn FrameSource>, FeedError> {
    match shape {
        PushedShape::File => opener.open(bytes, &ProbeHint::default(), options),
        PushedShape::Samples(format) => Ok(Box::new(Track::open_pcm(bytes, format, options)?)),
    }
}

/// Opens sources with `cadenza-audio`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AudioTracks;

impl OpenFrames for AudioTracks {
    fn open(
        &self,
        bytes: Box<dyn ByteSource>,
        hint: &ProbeHint,
        options: &OpenOptions,
    ) -> Result<Box<dyn FrameSource>, FeedError> {
        Ok(Box::new(Track::open(bytes, hint, options)?))
    }
}

impl FrameSource for Track {
    fn info(&self) -> TrackInfo {
        Track::info(self).clone()
    }

    fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, FeedError> {
        Ok(Track::next_frame(self, out)?)
    }

    fn seek(&mut self, position_ms: u64) -> Result<(), FeedError> {
        Track::seek(self, position_ms)?;
        Ok(())
    }

    fn set_filters(&mut self, filters: &FilterSettings, back: usize) -> Result<usize, FeedError> {
        Ok(Track::set_filters(self, filters, back)?)
    }

    fn keep(&mut self, frames: usize) {
        Track::keep(self, frames);
    }
    fn set_encoder(&mut self, settings: &EncoderSettings) -> Result<(), FeedError> {
        Ok(Track::set_encoder(self, settings)?)
    }
}
