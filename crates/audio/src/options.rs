//! What a caller chooses when it opens a track, and what it learns about it.

use crate::filters::FilterSettings;

/// How to open a track.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenOptions {
    /// Where to begin, in milliseconds of source time. Default 0.
    pub start_ms: u64,
    /// Where to stop, in milliseconds of source time. Default: the end of the file.
    pub end_ms: Option<u64>,
    /// Settings of the Opus encoder; unused while a track passes through.
    pub encoder: EncoderSettings,
    /// What is done to the sound. Default: nothing, and Opus passes through.
    pub filters: FilterSettings,
    /// Decode and encode Opus too, where it could pass through. Default `false`.
    pub force_transcode: bool,
    /// Count time from the first sound, whatever the timestamps say: the source is a piece of a longer
    /// stream. Default `false`.
    pub from_first: bool,
    /// Do not believe what the source says of its own length: it is on air, or a piece of a longer stream. Default `false`.
    pub ignore_length: bool,
}

/// Settings of the Opus encoder. All of them may change while a track plays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EncoderSettings {
    /// Bits per second, 6,000 to 510,000. Default 128,000. Values outside are clamped.
    pub bitrate: u32,
    /// Computational effort, 0 to 10. Default 10. Cost on one core per frame: 44 µs at 0, 110 µs at 10.
    pub complexity: u8,
    /// Puts a coarse copy of each frame into the next one, for receivers that lost it. Default
    /// `false`. Only speech at low rates has room for it; libopus goes over to that mode when the
    /// expected loss asks for it, except for [`Signal::Music`].
    pub fec: bool,
    /// Share of packets that gets lost on the way, 0 to 100. Default 0. Steers how much redundancy
    /// the encoder spends.
    pub expected_loss_percent: u8,
    /// What the sound is; steers libopus. Default [`Signal::Auto`].
    pub signal: Signal,
}

impl Default for EncoderSettings {
    fn default() -> EncoderSettings {
        EncoderSettings {
            bitrate: 128_000,
            complexity: 10,
            fec: false,
            expected_loss_percent: 0,
            signal: Signal::Auto,
        }
    }
}

/// What kind of sound the encoder is tuned for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Signal {
    /// libopus listens and decides, faithful to the source.
    #[default]
    Auto,
    /// Music and everything mixed.
    Music,
    /// Speech: intelligible at low rates. A track that begins with it is also tuned for speech as a
    /// whole; changed to while a track plays, it steers the choice of modes alone.
    Voice,
}

/// What is known about an open track.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrackInfo {
    /// The container: `"ogg"`, `"webm"`, `"mp3"`, `"mp2"`, `"flac"`, `"wav"`, `"aiff"`, `"caf"`, `"mp4"`, `"adts"` or `"mpegts"`.
    pub container: &'static str,
    /// The codec: `"opus"`, `"vorbis"`, `"mp3"`, `"mp2"`, `"flac"`, `"alac"`, `"pcm"`, `"adpcm"`
    /// or `"aac"`.
    pub codec: &'static str,
    /// Whether the file's own Opus packets are handed out, with no decoding.
    pub passthrough: bool,
    /// The length of the whole file in milliseconds; `None` when the file does not tell.
    pub duration_ms: Option<u64>,
    /// The rate of the source in Hz (48,000 for Opus, whatever the header says).
    pub sample_rate: u32,
    /// Channels of the source.
    pub channels: u16,
    /// Whether the source can be moved to any position; a stream can at most be read on.
    pub seekable: bool,
}

/// One frame as [`Track::next_frame`](crate::Track::next_frame) hands it out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameInfo {
    /// Bytes written to the front of the buffer.
    pub len: usize,
    /// Source time at the end of this frame, in milliseconds.
    pub position_ms: u64,
}
