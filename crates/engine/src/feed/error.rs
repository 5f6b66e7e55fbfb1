//! Why a feed fails: a stable code and a sentence that says what to do.

use cadenza_audio::AudioError;

/// The codes that arise on the source side; those of `cadenza-audio` are passed through beside them.
pub mod code {
    /// A decoder panicked. The feed is over; every other feed goes on.
    pub const DECODER_PANICKED: &str = "decoder_panicked";
    /// The server could not be reached, or its name could not be resolved, or TLS failed.
    pub const HTTP_CONNECT_FAILED: &str = "http_connect_failed";
    /// The address is private, local or reserved and is not allowed by the configuration.
    pub const HTTP_FORBIDDEN_ADDRESS: &str = "http_forbidden_address";
    /// As many sources of this host play as may.
    pub const HTTP_HOST_BUSY: &str = "http_host_busy";
    /// The address is no `http` or `https` URL.
    pub const HTTP_INVALID_URL: &str = "http_invalid_url";
    /// The body stopped arriving for longer than the stall timeout.
    pub const HTTP_STALLED: &str = "http_stalled";
    /// The server answered with a status that carries no media, or with a range nobody asked for.
    pub const HTTP_STATUS: &str = "http_status";
    /// The server did not connect or did not answer in time.
    pub const HTTP_TIMEOUT: &str = "http_timeout";
    /// The server's certificate is not trusted, or it speaks no TLS that is known.
    pub const HTTP_TLS_FAILED: &str = "http_tls_failed";
    /// The source is larger than the configured limit.
    pub const HTTP_TOO_LARGE: &str = "http_too_large";
    /// More redirects than the configured limit.
    pub const HTTP_TOO_MANY_REDIRECTS: &str = "http_too_many_redirects";
    /// The body ended early and could not be resumed.
    pub const HTTP_TRUNCATED: &str = "http_truncated";
    /// An encrypted segment cannot be opened: a wrong key, or a way of encryption that is not known.
    pub const HLS_ENCRYPTED: &str = "hls_encrypted";
    /// The playlist cannot be read, or names nothing that can be played.
    pub const PLAYLIST_INVALID: &str = "playlist_invalid";
    /// Playlists name playlists, too deep or themselves.
    pub const PLAYLIST_LOOP: &str = "playlist_loop";
    /// Reading the file failed.
    pub const READ_FAILED: &str = "read_failed";
    /// The content behind the URL changed between two requests for it.
    pub const SOURCE_CHANGED: &str = "source_changed";
    /// The path is a folder, device, pipe or socket.
    pub const SOURCE_NOT_A_FILE: &str = "source_not_a_file";
    /// There is no file at the path.
    pub const SOURCE_NOT_FOUND: &str = "source_not_found";
}

/// Why a feed cannot go on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct FeedError {
    /// A stable snake_case string: one of [`code`] or of `cadenza_audio::AudioErrorCode`.
    pub code: &'static str,
    /// One sentence for people; its wording may change. Never holds credentials.
    pub message: String,
}

impl FeedError {
    /// Makes an error from a stable code and a sentence; a missing full stop is added.
    pub fn new(code: &'static str, message: impl Into<String>) -> FeedError {
        let mut message = message.into();
        if !message.ends_with('.') {
            message.push('.');
        }
        FeedError { code, message }
    }
}

impl From<AudioError> for FeedError {
    fn from(error: AudioError) -> FeedError {
        let sentence = format!("The source cannot be played: {error}");
        FeedError::new(error.code().as_str(), sentence)
    }
}
