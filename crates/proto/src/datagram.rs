//! What an incoming datagram is, told by its first bytes (RFC 5761 for RTCP against RTP).

use crate::RTP_HEADER_LEN;
use crate::discovery::DISCOVERY_LEN;
use crate::keepalive::{PING_LEN, parse_pong};

/// The kinds of datagram a voice server sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DatagramKind {
    /// An IP discovery response.
    Discovery,
    /// The answer to a ping.
    Pong,
    /// Eight other bytes: the echo of an old-style keepalive.
    Echo,
    /// A control packet.
    Rtcp,
    /// A media packet.
    Rtp,
    /// None of these.
    Unknown,
}

/// Tells the kind; looks at no encrypted byte.
#[must_use]
pub fn classify(datagram: &[u8]) -> DatagramKind {
    match datagram {
        [0, 2, 0, 70, ..] if datagram.len() == DISCOVERY_LEN => DatagramKind::Discovery,
        _ if datagram.len() == PING_LEN && parse_pong(datagram).is_some() => DatagramKind::Pong,
        _ if datagram.len() == PING_LEN => DatagramKind::Echo,
        [first, ..] if first >> 6 != 2 || datagram.len() < RTP_HEADER_LEN => DatagramKind::Unknown,
        [_, 200..=207, ..] => DatagramKind::Rtcp,
        [_, _, ..] => DatagramKind::Rtp,
        _ => DatagramKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_every_kind() {
        let mut discovery = [0; 74];
        discovery[..4].copy_from_slice(&[0, 2, 0, 70]);
        let cases: [(&[u8], DatagramKind); 9] = [
            (&discovery, DatagramKind::Discovery),
            (&discovery[..70], DatagramKind::Unknown),
            (&[0x13, 0x37, 0xF0, 0x0D, 0, 0, 0, 1], DatagramKind::Pong),
            (&[1, 0, 0, 0, 0, 0, 0, 0], DatagramKind::Echo),
            (
                &[0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0],
                DatagramKind::Rtcp,
            ),
            (
                &[0x90, 0x78, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0],
                DatagramKind::Rtp,
            ),
            (
                &[0x80, 0xF8, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0],
                DatagramKind::Rtp,
            ),
            (&[0x80, 0x78, 0], DatagramKind::Unknown),
            (&[], DatagramKind::Unknown),
        ];
        for (datagram, kind) in cases {
            assert_eq!(classify(datagram), kind, "{datagram:02x?}");
        }
    }
}
