//! What can go wrong with a track: a stable code, the format that was being read, and a sentence.

use std::fmt;
use std::io;

/// Why a track cannot be opened, read or sought.
#[derive(Debug, thiserror::Error)]
#[error("{format}: {detail}")]
pub struct AudioError {
    code: AudioErrorCode,
    format: &'static str,
    detail: String,
}

impl AudioError {
    pub(crate) fn new(
        code: AudioErrorCode,
        format: &'static str,
        detail: impl Into<String>,
    ) -> AudioError {
        AudioError {
            code,
            format,
            detail: detail.into(),
        }
    }

    pub(crate) fn malformed(format: &'static str, detail: impl Into<String>) -> AudioError {
        AudioError::new(AudioErrorCode::MalformedMedia, format, detail)
    }

    pub(crate) fn limit(format: &'static str, detail: impl Into<String>) -> AudioError {
        AudioError::new(AudioErrorCode::LimitExceeded, format, detail)
    }

    /// An end of the bytes in the middle of something is the file's fault; the rest is the source's.
    pub(crate) fn io(format: &'static str, error: &io::Error) -> AudioError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                AudioError::malformed(format, "the file ends in the middle of its data")
            }
            _ => AudioError::new(AudioErrorCode::ReadFailed, format, error.to_string()),
        }
    }

    /// The stable code that users match on.
    pub fn code(&self) -> AudioErrorCode {
        self.code
    }

    /// The container or codec in whose reader the error arose, such as `"ogg"`, or `"probe"`.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// One sentence for people; its wording may change.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// The kinds of [`AudioError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AudioErrorCode {
    /// The source has no bytes, or its file holds no sound.
    EmptySource,
    /// A limit of this crate was reached (sizes, counts, rates): the file asks for too much.
    LimitExceeded,
    /// The bytes break the rules of their format, or end too early. Another copy may play.
    MalformedMedia,
    /// The byte source reported an input error. Trying again may help.
    ReadFailed,
    /// The source cannot seek there, or not at all.
    SeekFailed,
    /// The container is understood, but no audio codec in it is.
    UnsupportedCodec,
    /// The content is no audio format this crate knows.
    UnsupportedFormat,
    /// The Opus encoder or decoder refused its settings or failed inside.
    CodecFailed,
}

impl AudioErrorCode {
    /// The code as a stable snake_case string.
    pub fn as_str(self) -> &'static str {
        match self {
            AudioErrorCode::EmptySource => "empty_source",
            AudioErrorCode::LimitExceeded => "limit_exceeded",
            AudioErrorCode::MalformedMedia => "malformed_media",
            AudioErrorCode::ReadFailed => "read_failed",
            AudioErrorCode::SeekFailed => "seek_failed",
            AudioErrorCode::UnsupportedCodec => "unsupported_codec",
            AudioErrorCode::UnsupportedFormat => "unsupported_format",
            AudioErrorCode::CodecFailed => "codec_failed",
        }
    }
}

impl fmt::Display for AudioErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
