//! Sealing: an Opus frame in, a protected frame out, under one epoch's key.

use super::cipher::FrameCipher;
use super::frame::write_trailer;
use super::ratchet::Ratchet;
use super::{BaseKey, GENERATION_SHIFT, MAX_OVERHEAD};

/// Why a frame could not be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealFrameError {
    /// The buffer has no room for the frame and up to sixteen bytes more.
    #[error("the buffer is too small for the protected frame")]
    BufferTooSmall,
    /// The cipher refused; its nonce is not used again.
    #[error("the cipher refused to seal the frame")]
    Cipher,
}

/// Seals one sender's frames of one epoch. Making one derives keys; sealing allocates nothing.
pub struct FrameSealer {
    ratchet: Ratchet,
    cipher: FrameCipher,
    /// Frames sealed, and so the last nonce used. The generation counts on when the nonce wraps.
    sealed: u64,
}

impl FrameSealer {
    /// A sealer whose first frame has nonce 1.
    #[must_use]
    pub fn new(base: &BaseKey) -> FrameSealer {
        FrameSealer::after(base, 0)
    }

    /// A sealer that goes on after `sealed` frames under this key.
    #[must_use]
    pub fn after(base: &BaseKey, sealed: u64) -> FrameSealer {
        let mut ratchet = Ratchet::new(base);
        ratchet.advance_to(generation(sealed));
        FrameSealer {
            cipher: FrameCipher::new(&ratchet.key()),
            ratchet,
            sealed,
        }
    }

    /// Seals the first `len` bytes of `buffer` in place and returns the length of the protected frame.
    /// Allocates nothing.
    ///
    /// # Errors
    /// [`SealFrameError::BufferTooSmall`] unless [`MAX_OVERHEAD`] bytes follow the frame.
    pub fn seal_in_place(
        &mut self,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, SealFrameError> {
        let room = buffer
            .get_mut(..len.saturating_add(MAX_OVERHEAD))
            .ok_or(SealFrameError::BufferTooSmall)?;
        let (frame, trailer) = room.split_at_mut(len);
        let trailer: &mut [u8; MAX_OVERHEAD] = trailer
            .try_into()
            .map_err(|_| SealFrameError::BufferTooSmall)?;
        self.sealed += 1;
        if generation(self.sealed) != self.ratchet.generation() {
            self.ratchet.advance_to(generation(self.sealed));
            self.cipher.rekey(&self.ratchet.key());
        }
        let nonce = self.sealed as u32;
        let tag = self
            .cipher
            .seal(nonce, &[], frame)
            .map_err(|_| SealFrameError::Cipher)?;
        Ok(len + write_trailer(tag, nonce, trailer))
    }

    /// Frames sealed under this key.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.sealed
    }
}

fn generation(nonce: u64) -> u32 {
    (nonce >> GENERATION_SHIFT) as u32
}
