//! Sealing: RTP header and payload in, one datagram out.

use super::cipher::{Cipher, WideNonce};
use super::{TAG_LEN, TransportMode};
use crate::RTP_HEADER_LEN;
use crate::rtp::RtpHeader;

/// Why a packet could not be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The output buffer is shorter than the datagram would be.
    #[error("the output buffer is too small for the sealed packet")]
    BufferTooSmall,
    /// The cipher refused; no nonce was reused.
    #[error("the cipher refused to seal the packet")]
    Cipher,
}

/// Seals outgoing packets under one key. The nonce counter lives as long as the key.
pub struct Sealer {
    mode: TransportMode,
    cipher: Cipher,
    /// The next nonce; counter modes use the first four bytes, big endian.
    nonce: WideNonce,
}

impl Sealer {
    /// A sealer whose nonces begin at `nonce_seed`: counter modes take the first four bytes as their
    /// start, the suffix mode all 24 as a number that grows by one a packet.
    #[must_use]
    pub fn new(mode: TransportMode, key: &[u8; 32], nonce_seed: [u8; 24]) -> Self {
        let mut nonce = nonce_seed;
        if mode != TransportMode::XSalsa20Poly1305Suffix {
            nonce[4..].fill(0);
        }
        Self {
            mode,
            cipher: Cipher::new(mode, key),
            nonce,
        }
    }

    /// The mode in force.
    #[must_use]
    pub fn mode(&self) -> TransportMode {
        self.mode
    }

    /// Writes the whole datagram to `out` and returns its length. Allocates nothing.
    ///
    /// # Errors
    /// [`SealError::BufferTooSmall`] when `out` is shorter than 12 + payload + [`TransportMode::overhead`].
    pub fn seal(
        &mut self,
        header: &RtpHeader,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let total = RTP_HEADER_LEN + payload.len() + self.mode.overhead();
        let out = out.get_mut(..total).ok_or(SealError::BufferTooSmall)?;
        let (clear, rest) = out.split_at_mut(RTP_HEADER_LEN);
        let clear: &mut [u8; RTP_HEADER_LEN] =
            clear.try_into().map_err(|_| SealError::BufferTooSmall)?;
        header.write(clear);
        let nonce = self.take_nonce(clear);
        let (tag_at, data_at) = if self.mode.is_rtpsize() {
            (payload.len(), 0)
        } else {
            (0, TAG_LEN)
        };
        let data = &mut rest[data_at..data_at + payload.len()];
        data.copy_from_slice(payload);
        let aad: &[u8] = if self.mode.is_rtpsize() { clear } else { &[] };
        let tag = self
            .cipher
            .seal(&nonce, aad, data)
            .map_err(|_| SealError::Cipher)?;
        rest[tag_at..tag_at + TAG_LEN].copy_from_slice(&tag);
        let suffix_len = self.mode.suffix_len();
        rest[payload.len() + TAG_LEN..].copy_from_slice(&nonce[..suffix_len]);
        Ok(total)
    }

    /// The nonce of this packet; the stored one moves on, so that none is used twice.
    fn take_nonce(&mut self, header: &[u8; RTP_HEADER_LEN]) -> WideNonce {
        match self.mode {
            TransportMode::XSalsa20Poly1305 => {
                let mut nonce = [0; 24];
                nonce[..RTP_HEADER_LEN].copy_from_slice(header);
                nonce
            }
            TransportMode::XSalsa20Poly1305Suffix => {
                let nonce = self.nonce;
                increment(&mut self.nonce);
                nonce
            }
            _ => {
                let nonce = self.nonce;
                increment(&mut self.nonce[..4]);
                nonce
            }
        }
    }
}

/// Adds one to a big-endian number of any width; wraps.
fn increment(number: &mut [u8]) {
    for byte in number.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return;
        }
    }
}
