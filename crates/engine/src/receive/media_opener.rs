//! The seam of end-to-end encryption on the way in: what happens to a payload once the transport
//! has opened it.

/// Why a payload could not be opened. Counted by cause; the packet is dropped, the stream goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenFailure {
    /// There is no key for this user and generation, or none yet.
    NoKey,
    /// The bytes are no encrypted frame.
    Malformed,
    /// The tag does not fit: another key, or changed bytes.
    Authentication,
    /// This nonce was used before.
    Replay,
    /// A clear frame in a call whose frames have to be encrypted.
    Unencrypted,
}

impl OpenFailure {
    /// Every cause, in the order in which they are counted.
    pub const ALL: [OpenFailure; 5] = [
        OpenFailure::NoKey,
        OpenFailure::Malformed,
        OpenFailure::Authentication,
        OpenFailure::Replay,
        OpenFailure::Unencrypted,
    ];

    /// The cause as a stable snake_case string.
    pub fn code(self) -> &'static str {
        match self {
            OpenFailure::NoKey => "no_key",
            OpenFailure::Malformed => "malformed",
            OpenFailure::Authentication => "authentication",
            OpenFailure::Replay => "replay",
            OpenFailure::Unencrypted => "unencrypted",
        }
    }
}

/// Opens the payloads of one flow. Lives on the receive thread: it must neither block nor take long.
///
/// Silence frames ([`SILENCE_FRAME`](cadenza_proto::SILENCE_FRAME)) do not come here: the voice
/// server makes them itself, in clear.
pub trait MediaOpener: Send {
    /// Opens a user's payload in place and returns the length of the Opus packet at its start.
    ///
    /// # Errors
    /// The cause; the payload's bytes are then undefined.
    fn open(&mut self, user: u64, payload: &mut [u8]) -> Result<usize, OpenFailure>;
}

/// Opens nothing: the opener of calls without end-to-end encryption.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassThrough;

impl MediaOpener for PassThrough {
    fn open(&mut self, _user: u64, payload: &mut [u8]) -> Result<usize, OpenFailure> {
        Ok(payload.len())
    }
}
