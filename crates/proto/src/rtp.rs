//! RTP headers (RFC 3550) as Discord uses them: version 2, payload type 120 for Opus.

use crate::{FRAME_SAMPLES, RTP_HEADER_LEN};

/// Payload type of Opus.
pub const OPUS_PAYLOAD_TYPE: u8 = 120;

/// Synchronisation source: names one sender within a call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ssrc(pub u32);

/// RTP sequence number; wraps from 65,535 to 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sequence(pub u16);

impl Sequence {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// RTP timestamp in samples at 48 kHz; wraps at 2³².
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timestamp(pub u32);

impl Timestamp {
    /// This time and `samples` more.
    #[must_use]
    pub fn advance(self, samples: u32) -> Self {
        Self(self.0.wrapping_add(samples))
    }

    /// This time and a number of whole frames more.
    #[must_use]
    pub fn advance_frames(self, frames: u64) -> Self {
        // Truncation is the wrap-around that RTP wants.
        self.advance((frames as u32).wrapping_mul(FRAME_SAMPLES))
    }
}

/// The header of an outgoing packet: no padding, no extension, no CSRC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RtpHeader {
    /// Counts packets.
    pub sequence: Sequence,
    /// Counts samples.
    pub timestamp: Timestamp,
    /// Who sends.
    pub ssrc: Ssrc,
}

impl RtpHeader {
    /// Writes the twelve bytes.
    pub fn write(&self, out: &mut [u8; RTP_HEADER_LEN]) {
        out[0] = 0x80;
        out[1] = OPUS_PAYLOAD_TYPE;
        out[2..4].copy_from_slice(&self.sequence.0.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.0.to_be_bytes());
    }
}

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RtpError {
    /// Fewer bytes than the header says it has.
    #[error("the datagram ends inside its RTP header")]
    Truncated,
    /// The version is not 2.
    #[error("the RTP version is not 2")]
    Version,
}

/// The header of a packet that came in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParsedHeader {
    /// Whether the last payload byte counts padding.
    pub padding: bool,
    /// Whether an extension follows; its preamble is clear, its elements may be encrypted.
    pub extension: bool,
    /// Number of contributing sources, 0 to 15.
    pub csrc_count: u8,
    /// Marker bit.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Counts packets.
    pub sequence: Sequence,
    /// Counts samples.
    pub timestamp: Timestamp,
    /// Who sends.
    pub ssrc: Ssrc,
}

impl ParsedHeader {
    /// Reads the fixed part.
    ///
    /// # Errors
    /// [`RtpError`] when the bytes are too short or the version is not 2.
    pub fn parse(datagram: &[u8]) -> Result<Self, RtpError> {
        let fixed: &[u8; RTP_HEADER_LEN] = datagram.first_chunk().ok_or(RtpError::Truncated)?;
        if fixed[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        Ok(Self {
            padding: fixed[0] & 0x20 != 0,
            extension: fixed[0] & 0x10 != 0,
            csrc_count: fixed[0] & 0x0F,
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7F,
            sequence: Sequence(u16::from_be_bytes([fixed[2], fixed[3]])),
            timestamp: Timestamp(u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])),
            ssrc: Ssrc(u32::from_be_bytes([
                fixed[8], fixed[9], fixed[10], fixed[11],
            ])),
        })
    }

    /// Bytes of the header that the `rtpsize` modes leave in clear: CSRCs and the extension preamble included.
    #[must_use]
    pub fn clear_len(&self) -> usize {
        RTP_HEADER_LEN + 4 * usize::from(self.csrc_count) + if self.extension { 4 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_bytes_of_the_reference() {
        let header = RtpHeader {
            sequence: Sequence(0x1234),
            timestamp: Timestamp(2400),
            ssrc: Ssrc(123_456),
        };
        let mut out = [0; RTP_HEADER_LEN];
        header.write(&mut out);
        assert_eq!(
            out,
            [0x80, 0x78, 0x12, 0x34, 0, 0, 0x09, 0x60, 0, 1, 0xE2, 0x40]
        );
        let parsed = ParsedHeader::parse(&out).unwrap();
        assert_eq!(
            (parsed.sequence, parsed.timestamp, parsed.ssrc),
            (header.sequence, header.timestamp, header.ssrc)
        );
        assert_eq!(parsed.payload_type, OPUS_PAYLOAD_TYPE);
        assert_eq!(parsed.clear_len(), 12);
    }

    #[test]
    fn wraps() {
        assert_eq!(Sequence(u16::MAX).next(), Sequence(0));
        assert_eq!(Timestamp(u32::MAX).advance(2), Timestamp(1));
        assert_eq!(
            Timestamp(0).advance_frames(u64::from(u32::MAX) + 2),
            Timestamp(FRAME_SAMPLES)
        );
    }

    #[test]
    fn refuses_what_is_not_rtp() {
        assert_eq!(ParsedHeader::parse(&[0x80; 11]), Err(RtpError::Truncated));
        assert_eq!(ParsedHeader::parse(&[0x40; 12]), Err(RtpError::Version));
    }
}
