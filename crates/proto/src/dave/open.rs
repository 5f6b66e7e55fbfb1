//! Opening: a protected frame of one remote sender in, its Opus frame out, over epochs.

use super::frame::{Ranges, Trailer};
use super::keys::{EpochKeys, KEY_LIFE_NS, Sealed};
use super::{BaseKey, MAX_PROTECTED_FRAME};
use crate::SILENCE_FRAME;

/// Epochs whose keys are kept for one sender. They live ten seconds each; a gateway that changes
/// epochs faster than three times a second costs the oldest of them.
const MAX_EPOCHS: usize = 32;

/// Why a frame was not opened. Count it and go on with the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenFrameError {
    /// A clear frame where only encrypted ones are allowed.
    #[error("the frame is not end-to-end encrypted, and clear frames are not allowed")]
    NotEncrypted,
    /// The sender has no live key here.
    #[error("there is no key for the frame's sender")]
    NoKey,
    /// A frame with this nonce was opened before, or it is more than 1,024 frames late.
    #[error("the frame's nonce was used before")]
    Replayed,
    /// The nonce belongs to a generation that its sender cannot have reached, or that has expired.
    #[error("the frame's key generation is out of reach")]
    Generation,
    /// The tag fits no live key: another key, or changed bytes.
    #[error("the frame does not authenticate under any live key")]
    Authentication,
    /// Longer than [`MAX_PROTECTED_FRAME`] bytes.
    #[error("the frame is longer than any that can arrive")]
    TooLong,
}

/// Which clear frames are let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Clear {
    Refused,
    Allowed,
    AllowedUntil(u64),
}

/// Opens one remote sender's frames. Time is an argument, in nanoseconds of any monotonic clock.
pub struct FrameOpener {
    /// Newest last.
    epochs: Vec<EpochKeys>,
    clear: Clear,
}

impl Default for FrameOpener {
    fn default() -> FrameOpener {
        FrameOpener {
            epochs: Vec::new(),
            clear: Clear::Refused,
        }
    }
}

impl FrameOpener {
    /// An opener without keys, which refuses clear frames.
    #[must_use]
    pub fn new() -> FrameOpener {
        FrameOpener::default()
    }

    /// Takes the sender's key of a new epoch; former keys live [`KEY_LIFE_NS`] longer at most. A key
    /// that is live already changes nothing, so that frames opened under it stay opened.
    pub fn install(&mut self, base: &BaseKey, now_ns: u64) {
        self.drop_expired(now_ns);
        if self.epochs.iter().any(|keys| keys.is_of(base)) {
            return;
        }
        self.expire_keys(now_ns);
        if self.epochs.len() == MAX_EPOCHS {
            self.epochs.remove(0);
        }
        self.epochs.push(EpochKeys::new(*base, now_ns));
    }

    /// Lets all keys live [`KEY_LIFE_NS`] longer at most: the sender has left, or encryption ends.
    pub fn expire_keys(&mut self, now_ns: u64) {
        for keys in &mut self.epochs {
            keys.expire_at(now_ns.saturating_add(KEY_LIFE_NS));
        }
    }

    /// Lets clear frames through from now on.
    pub fn allow_clear(&mut self) {
        self.clear = Clear::Allowed;
    }

    /// Refuses clear frames after `grace_ns`, or sooner if that was said before.
    pub fn refuse_clear(&mut self, now_ns: u64, grace_ns: u64) {
        let until_ns = now_ns.saturating_add(grace_ns);
        self.clear = match self.clear {
            Clear::Refused => Clear::Refused,
            Clear::Allowed => Clear::AllowedUntil(until_ns),
            Clear::AllowedUntil(before) => Clear::AllowedUntil(before.min(until_ns)),
        };
    }

    /// Whether a clear frame would be let through.
    #[must_use]
    pub fn lets_clear_through(&self, now_ns: u64) -> bool {
        match self.clear {
            Clear::Refused => false,
            Clear::Allowed => true,
            Clear::AllowedUntil(until_ns) => now_ns < until_ns,
        }
    }

    /// Whether nothing is left that could open a frame.
    #[must_use]
    pub fn is_spent(&self, now_ns: u64) -> bool {
        self.epochs.iter().all(|keys| keys.is_expired(now_ns)) && !self.lets_clear_through(now_ns)
    }

    /// Decrypts in place; the plain frame is the first so many bytes of `payload`. Silence frames are
    /// let through always. Allocates nothing but the tables of a key at its first frame.
    ///
    /// # Errors
    /// [`OpenFrameError`]; `payload` is then unchanged.
    pub fn open(&mut self, payload: &mut [u8], now_ns: u64) -> Result<usize, OpenFrameError> {
        if payload == SILENCE_FRAME {
            return Ok(payload.len());
        }
        if payload.len() > MAX_PROTECTED_FRAME {
            return Err(OpenFrameError::TooLong);
        }
        let Ok(trailer) = Trailer::parse(payload) else {
            return match self.lets_clear_through(now_ns) {
                true => Ok(payload.len()),
                false => Err(OpenFrameError::NotEncrypted),
            };
        };
        self.drop_expired(now_ns);
        let Trailer {
            body_len,
            tag,
            nonce,
            ranges,
        } = trailer;
        if ranges.is_empty() {
            let sealed = Sealed {
                nonce,
                tag,
                aad: &[],
            };
            self.open_body(&sealed, &mut payload[..body_len], now_ns)?;
            return Ok(body_len);
        }
        let mut parts = Parts::split(&payload[..body_len], ranges);
        let (clear, secret) = (&parts.clear[..parts.clear_len], parts.secret_len);
        let sealed = Sealed {
            nonce,
            tag,
            aad: clear,
        };
        self.open_body(&sealed, &mut parts.secret[..secret], now_ns)?;
        let mut joined = [0; MAX_PROTECTED_FRAME];
        parts.join(&mut joined[..body_len], ranges);
        payload[..body_len].copy_from_slice(&joined[..body_len]);
        Ok(body_len)
    }

    /// Tries every live key, newest first. The first failure is told, as that of the likeliest key.
    fn open_body(
        &mut self,
        sealed: &Sealed<'_>,
        data: &mut [u8],
        now_ns: u64,
    ) -> Result<(), OpenFrameError> {
        let mut first = None;
        for keys in self.epochs.iter_mut().rev() {
            match keys.open(sealed, data, now_ns) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or(OpenFrameError::NoKey))
    }

    fn drop_expired(&mut self, now_ns: u64) {
        if self.epochs.iter().any(|keys| keys.is_expired(now_ns)) {
            self.epochs.retain(|keys| !keys.is_expired(now_ns));
        }
    }
}

/// A body whose clear and secret bytes lie apart, each without gaps.
struct Parts {
    clear: [u8; MAX_PROTECTED_FRAME],
    clear_len: usize,
    secret: [u8; MAX_PROTECTED_FRAME],
    secret_len: usize,
}

impl Parts {
    fn split(body: &[u8], ranges: Ranges<'_>) -> Parts {
        let mut parts = Parts {
            clear: [0; MAX_PROTECTED_FRAME],
            clear_len: 0,
            secret: [0; MAX_PROTECTED_FRAME],
            secret_len: 0,
        };
        let mut at = 0;
        for range in ranges {
            parts.push_secret(&body[at..range.offset]);
            at = range.offset + range.size;
            let clear = &body[range.offset..at];
            parts.clear[parts.clear_len..parts.clear_len + clear.len()].copy_from_slice(clear);
            parts.clear_len += clear.len();
        }
        parts.push_secret(&body[at..]);
        parts
    }

    fn push_secret(&mut self, bytes: &[u8]) {
        self.secret[self.secret_len..self.secret_len + bytes.len()].copy_from_slice(bytes);
        self.secret_len += bytes.len();
    }

    fn join(&self, out: &mut [u8], ranges: Ranges<'_>) {
        let (mut at, mut clear_at, mut secret_at) = (0, 0, 0);
        for range in ranges {
            let gap = range.offset - at;
            out[at..range.offset].copy_from_slice(&self.secret[secret_at..secret_at + gap]);
            secret_at += gap;
            at = range.offset + range.size;
            out[range.offset..at].copy_from_slice(&self.clear[clear_at..clear_at + range.size]);
            clear_at += range.size;
        }
        out[at..].copy_from_slice(&self.secret[secret_at..self.secret_len]);
    }
}
