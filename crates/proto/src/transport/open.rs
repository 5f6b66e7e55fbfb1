//! Opening: one datagram in, the Opus payload out, extension and padding removed.

use std::ops::Range;

use super::cipher::{Cipher, WideNonce};
use super::{TAG_LEN, TransportMode};
use crate::RTP_HEADER_LEN;
use crate::rtp::{ParsedHeader, RtpError};

/// Bytes of an RTCP packet that stay in clear: first header word and sender SSRC.
const RTCP_CLEAR_LEN: usize = 8;
/// Bytes of an extension preamble: profile and length.
const PREAMBLE_LEN: usize = 4;

/// Why a datagram could not be opened. Count it and go on with the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// The header is not RTP.
    #[error(transparent)]
    Header(#[from] RtpError),
    /// Too short for header, tag and nonce.
    #[error("the datagram is too short for its header, tag and nonce")]
    TooShort,
    /// The tag does not fit: another key, or changed bytes.
    #[error("the packet does not authenticate under this key")]
    Authentication,
    /// The extension claims more bytes than there are.
    #[error("the header extension is longer than the packet")]
    Extension,
    /// The padding count is 0 or larger than the payload.
    #[error("the padding count does not fit the packet")]
    Padding,
}

/// A packet that authenticated.
#[derive(Debug, Eq, PartialEq)]
pub struct OpenedPacket<'a> {
    /// The clear header.
    pub header: ParsedHeader,
    /// What was sent, without extension elements and padding; empty when nothing is left.
    pub payload: &'a [u8],
}

/// Opens incoming packets under one key.
pub struct Opener {
    mode: TransportMode,
    cipher: Cipher,
}

impl Opener {
    /// An opener for a mode and key.
    #[must_use]
    pub fn new(mode: TransportMode, key: &[u8; 32]) -> Self {
        Self {
            mode,
            cipher: Cipher::new(mode, key),
        }
    }

    /// Decrypts in place. Allocates nothing; the nonce counter may be of either byte order.
    ///
    /// # Errors
    /// [`OpenError`]; the datagram's bytes are then undefined.
    pub fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<OpenedPacket<'a>, OpenError> {
        let (header, payload) = self.open_in_place(datagram)?;
        Ok(OpenedPacket {
            header,
            payload: &datagram[payload],
        })
    }

    /// As [`open`](Self::open), but says where in the datagram the payload lies, so that it can be
    /// decrypted further in its place.
    ///
    /// # Errors
    /// [`OpenError`]; the datagram's bytes are then undefined.
    pub fn open_in_place(
        &self,
        datagram: &mut [u8],
    ) -> Result<(ParsedHeader, Range<usize>), OpenError> {
        let header = ParsedHeader::parse(datagram)?;
        let clear_len = if self.mode.is_rtpsize() {
            header.clear_len()
        } else {
            RTP_HEADER_LEN
        };
        let plain = self.decrypt(datagram, clear_len)?;
        let payload = self.strip(datagram, &header, plain)?;
        Ok((header, payload))
    }

    /// Decrypts an RTCP compound packet in place (`rtpsize` modes) and returns what follows its first eight bytes.
    ///
    /// # Errors
    /// [`OpenError`]; in the modes that never carried RTCP this way, [`OpenError::Authentication`].
    pub fn open_rtcp<'a>(&self, datagram: &'a mut [u8]) -> Result<&'a [u8], OpenError> {
        if !self.mode.is_rtpsize() {
            return Err(OpenError::Authentication);
        }
        let plain = self.decrypt(datagram, RTCP_CLEAR_LEN)?;
        Ok(&datagram[plain])
    }

    /// Where the plaintext lies in the datagram.
    fn decrypt(&self, datagram: &mut [u8], clear_len: usize) -> Result<Range<usize>, OpenError> {
        let suffix_len = self.mode.suffix_len();
        if datagram.len() < clear_len + TAG_LEN + suffix_len {
            return Err(OpenError::TooShort);
        }
        let (clear, rest) = datagram.split_at_mut(clear_len);
        let (body, suffix) = rest.split_at_mut(rest.len() - suffix_len);
        let nonce = self.nonce(clear, suffix);
        let aad: &[u8] = if self.mode.is_rtpsize() { clear } else { &[] };
        let plain = self
            .cipher
            .open(&nonce, aad, body)
            .map_err(|_| OpenError::Authentication)?;
        Ok(clear_len + plain.start..clear_len + plain.end)
    }

    fn nonce(&self, clear: &[u8], suffix: &[u8]) -> WideNonce {
        let mut nonce = [0; 24];
        let source = if self.mode == TransportMode::XSalsa20Poly1305 {
            clear
        } else {
            suffix
        };
        nonce[..source.len()].copy_from_slice(source);
        nonce
    }

    /// Cuts CSRCs and extension in front and padding behind.
    fn strip(
        &self,
        datagram: &[u8],
        header: &ParsedHeader,
        plain: Range<usize>,
    ) -> Result<Range<usize>, OpenError> {
        let mut start = plain.start;
        let mut preamble_end = header.clear_len();
        if !self.mode.is_rtpsize() {
            start += header.clear_len() - RTP_HEADER_LEN;
            preamble_end = start;
        }
        if start > plain.end {
            return Err(OpenError::Extension);
        }
        if header.extension {
            let preamble = &datagram[preamble_end - PREAMBLE_LEN..preamble_end];
            start += 4 * usize::from(u16::from_be_bytes([preamble[2], preamble[3]]));
        }
        if start > plain.end {
            return Err(OpenError::Extension);
        }
        let end = if header.padding {
            let count = datagram[start..plain.end].last().copied().unwrap_or(0);
            let left = plain.end - start;
            if count == 0 || usize::from(count) > left {
                return Err(OpenError::Padding);
            }
            plain.end - usize::from(count)
        } else {
            plain.end
        };
        Ok(start..end)
    }
}
