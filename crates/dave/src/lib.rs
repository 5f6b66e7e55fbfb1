//! The seam of end-to-end encryption (DAVE): what happens to an Opus frame before the transport seals it.
//!
//! A [`FrameSession`] takes every outgoing frame. The null session is the one of calls whose protocol
//! version is 0 (stage channels): frames pass as they are. Where the version is 1 or higher the null
//! session has no keys, and so nothing but the silence frame may leave.

#![forbid(unsafe_code)]

use cadenza_proto::SILENCE_FRAME;

/// Protocol version of a call without end-to-end encryption.
pub const NO_ENCRYPTION: u16 = 0;

/// What to do with a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protected<'a> {
    /// Send these bytes.
    Send(&'a [u8]),
    /// Send nothing: encryption is on and not ready.
    Hold,
}

/// The end-to-end side of one call.
#[derive(Debug)]
pub enum FrameSession {
    /// No keys.
    Null(NullSession),
}

impl FrameSession {
    /// A session without keys for a call of this protocol version.
    #[must_use]
    pub fn null(protocol_version: u16) -> Self {
        Self::Null(NullSession { protocol_version })
    }

    /// Protects one Opus frame. Allocates nothing; `out` is room for a protected frame.
    pub fn protect<'a>(&mut self, frame: &'a [u8], out: &'a mut [u8]) -> Protected<'a> {
        match self {
            Self::Null(session) => {
                let _ = out;
                session.protect(frame)
            }
        }
    }

    /// Whether frames may be sent.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Null(session) => session.protocol_version == NO_ENCRYPTION,
        }
    }
}

/// A session without keys.
#[derive(Clone, Copy, Debug)]
pub struct NullSession {
    protocol_version: u16,
}

impl NullSession {
    fn protect<'a>(self, frame: &'a [u8]) -> Protected<'a> {
        if self.protocol_version == NO_ENCRYPTION || frame == SILENCE_FRAME {
            Protected::Send(frame)
        } else {
            Protected::Hold
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_encryption_frames_pass_as_they_are() {
        let mut session = FrameSession::null(NO_ENCRYPTION);
        assert!(session.is_ready());
        assert_eq!(
            session.protect(&[1, 2, 3], &mut []),
            Protected::Send(&[1, 2, 3])
        );
    }

    #[test]
    fn with_encryption_and_no_keys_only_silence_leaves() {
        let mut session = FrameSession::null(1);
        assert!(!session.is_ready());
        assert_eq!(session.protect(&[1, 2, 3], &mut [0; 64]), Protected::Hold);
        let mut out = [0; 64];
        let silence = session.protect(&SILENCE_FRAME, &mut out);
        assert_eq!(silence, Protected::Send(&SILENCE_FRAME));
    }
}
