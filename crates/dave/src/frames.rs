//! What happens to an Opus frame before the transport seals it.

use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::dave::{BaseKey, FrameSealer, SealFrameError};

/// What a sender does with frames from some moment on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SenderKeys {
    /// Send them as they are: protocol version 0.
    Clear,
    /// Send nothing but silence frames: encryption is on and not ready.
    Hold,
    /// Encrypt them with this key.
    Keyed(BaseKey),
}

/// The end-to-end side of one sending flow. Lives on its pacer and is replaced as a whole.
pub enum FrameSession {
    /// Frames pass as they are.
    Clear,
    /// Nothing but the silence frame may leave.
    Hold,
    /// Frames are encrypted.
    Keyed(Box<FrameSealer>),
}

/// Why a frame may not leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotProtected {
    /// Encryption is on and not ready.
    Held,
    /// The frame could not be encrypted.
    Refused(SealFrameError),
}

impl FrameSession {
    /// Makes what `keys` asks for. A key must be used for one session alone: its nonces start at 1.
    #[must_use]
    pub fn new(keys: SenderKeys) -> FrameSession {
        match keys {
            SenderKeys::Clear => FrameSession::Clear,
            SenderKeys::Hold => FrameSession::Hold,
            SenderKeys::Keyed(base) => FrameSession::Keyed(Box::new(FrameSealer::new(&base))),
        }
    }

    /// Protects the first `len` bytes of `buffer` in place and returns the length of what may leave.
    /// Allocates nothing. Encrypting needs [`MAX_OVERHEAD`](cadenza_proto::dave::MAX_OVERHEAD) bytes
    /// of room behind the frame.
    ///
    /// # Errors
    /// [`NotProtected`]; then nothing of the buffer may leave.
    pub fn protect(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, NotProtected> {
        if buffer.get(..len) == Some(&SILENCE_FRAME[..]) {
            return Ok(len);
        }
        match self {
            FrameSession::Clear => Ok(len),
            FrameSession::Hold => Err(NotProtected::Held),
            FrameSession::Keyed(sealer) => sealer
                .seal_in_place(buffer, len)
                .map_err(NotProtected::Refused),
        }
    }

    /// Whether sound has to wait for keys.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, FrameSession::Hold)
    }

    /// Whether frames are encrypted.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        matches!(self, FrameSession::Keyed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadenza_proto::dave::{FrameOpener, Trailer};

    const FRAME: [u8; 5] = [0x78, 1, 2, 3, 4];

    #[test]
    fn without_encryption_frames_pass_as_they_are() {
        assert_eq!(protect(SenderKeys::Clear, &FRAME), Ok(FRAME.to_vec()));
    }

    #[test]
    fn without_keys_only_silence_leaves() {
        assert_eq!(protect(SenderKeys::Hold, &FRAME), Err(NotProtected::Held));
        assert_eq!(
            protect(SenderKeys::Hold, &SILENCE_FRAME),
            Ok(SILENCE_FRAME.to_vec())
        );
    }

    #[test]
    fn with_a_key_all_but_silence_is_encrypted() {
        let key = BaseKey::new([7; 16]);
        let mut sealed = protect(SenderKeys::Keyed(key), &FRAME).expect("there is a key");
        assert_eq!(Trailer::parse(&sealed).map(|trailer| trailer.nonce), Ok(1));
        let mut opener = FrameOpener::new();
        opener.install(&key, 0);
        assert_eq!(opener.open(&mut sealed, 0), Ok(FRAME.len()));
        assert_eq!(sealed[..FRAME.len()], FRAME);
        assert_eq!(
            protect(SenderKeys::Keyed(key), &SILENCE_FRAME),
            Ok(SILENCE_FRAME.to_vec())
        );
    }

    fn protect(keys: SenderKeys, frame: &[u8]) -> Result<Vec<u8>, NotProtected> {
        let mut buffer = [0; 64];
        buffer[..frame.len()].copy_from_slice(frame);
        let len = FrameSession::new(keys).protect(&mut buffer, frame.len())?;
        Ok(buffer[..len].to_vec())
    }
}
