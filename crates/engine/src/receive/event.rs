//! What the receiving side tells besides sound.

use super::RecordedFile;

/// One thing that happened to a flow's receiving side.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReceiveEvent {
    /// Batches of sound wait to be taken.
    AudioReady,
    /// A user began or stopped speaking, judged by packets.
    Speaking {
        /// Who.
        user: u64,
        /// Began, or stopped.
        speaking: bool,
    },
    /// A recording is over and its files are whole.
    RecordingEnded {
        /// The recording's number.
        recording: u32,
        /// Its files, by user; none when nobody of those to be recorded spoke.
        files: Vec<RecordedFile>,
    },
    /// A recording could not go on. What its files hold by then is kept where that is possible.
    RecordingFailed {
        /// The recording's number.
        recording: u32,
        /// Stable snake_case code.
        code: &'static str,
        /// The system's words.
        message: String,
    },
}
