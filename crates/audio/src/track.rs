//! A track: one open media file that hands out 20 ms Opus packets.

use crate::MAX_OPUS_FRAME;
use crate::error::{AudioError, AudioErrorCode};
use crate::options::{FrameInfo, OpenOptions, TrackInfo};
use crate::source::{ByteSource, ProbeHint};

/// An open media file.
pub struct Track {
    info: TrackInfo,
}

impl Track {
    /// Recognises the content and prepares the first frame at `options.start_ms`.
    pub fn open(
        source: Box<dyn ByteSource>,
        hint: &ProbeHint,
        options: &OpenOptions,
    ) -> Result<Track, AudioError> {
        let _ = (source, hint, options);
        Err(AudioError::new(
            AudioErrorCode::UnsupportedFormat,
            "probe",
            "no format is known",
        ))
    }

    /// Writes the next 20 ms Opus packet to `out`; `None` is the end of the track.
    ///
    /// After an error the track is over: further calls give `None`.
    pub fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, AudioError> {
        let _ = out;
        Ok(None)
    }

    /// Moves to `position_ms` of source time and returns where the next frame begins.
    ///
    /// A position beyond the end leaves the track at its end.
    pub fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        Ok(position_ms)
    }

    /// What is known about the file.
    pub fn info(&self) -> &TrackInfo {
        &self.info
    }
}
