//! A track: one open media file that hands out 20 ms Opus packets.

use crate::MAX_OPUS_FRAME;
use crate::decode::MediaReader;
use crate::error::AudioError;
use crate::input::Input;
use crate::options::{FrameInfo, OpenOptions, TrackInfo};
use crate::probe;
use crate::source::{ByteSource, ProbeHint};
use crate::transcode::{PcmSource, Transcode};

/// Lengths beyond this are taken for a broken header and not reported: 30 days.
const MAX_DURATION_MS: u64 = 30 * 24 * 3600 * 1000;

/// An open media file.
pub struct Track {
    info: TrackInfo,
    way: Way,
}

/// How packets come to be.
enum Way {
    Transcode(Box<Transcode>),
    /// After an error.
    Over,
}

impl Track {
    /// Recognises the content and prepares the first frame at `options.start_ms`.
    ///
    /// The hint plays no part as long as the content is recognised by itself.
    pub fn open(
        source: Box<dyn ByteSource>,
        hint: &ProbeHint,
        options: &OpenOptions,
    ) -> Result<Track, AudioError> {
        let _ = hint;
        let input = Input::open(source)?;
        let kind = probe::recognise(input.head())?;
        let byte_len = input.len();
        let reader = MediaReader::open(kind, input)?;
        let (sample_rate, channels) = reader.shape();
        let info = TrackInfo {
            container: kind.name(),
            codec: reader.codec(),
            passthrough: false,
            duration_ms: reader
                .duration_ms()
                .filter(|&ms| is_plausible(ms, byte_len)),
            sample_rate,
            channels,
        };
        let source = PcmSource::Media(reader);
        let transcode = Transcode::new(source, &options.encoder, options.start_ms, options.end_ms)?;
        Ok(Track {
            info,
            way: Way::Transcode(Box::new(transcode)),
        })
    }

    /// Writes the next 20 ms Opus packet to `out`; `None` is the end of the track.
    ///
    /// After an error the track is over: further calls give `None`.
    pub fn next_frame(
        &mut self,
        out: &mut [u8; MAX_OPUS_FRAME],
    ) -> Result<Option<FrameInfo>, AudioError> {
        let result = match &mut self.way {
            Way::Transcode(transcode) => transcode.next_frame(out),
            Way::Over => Ok(None),
        };
        result.inspect_err(|_| self.way = Way::Over)
    }

    /// Moves to `position_ms` of source time and returns where the next frame begins.
    ///
    /// A position beyond the end leaves the track at its end. After an error the track is over.
    pub fn seek(&mut self, position_ms: u64) -> Result<u64, AudioError> {
        let result = match &mut self.way {
            Way::Transcode(transcode) => transcode.seek(position_ms),
            Way::Over => Ok(position_ms),
        };
        result.inspect_err(|_| self.way = Way::Over)
    }

    /// What is known about the file.
    pub fn info(&self) -> &TrackInfo {
        &self.info
    }
}

/// Whether a stated length can be true: no codec here stays below 100 bits per second.
fn is_plausible(duration_ms: u64, byte_len: Option<u64>) -> bool {
    let enough_bytes = byte_len.is_none_or(|len| len.saturating_mul(80) >= duration_ms);
    duration_ms <= MAX_DURATION_MS && enough_bytes
}
