//! IP discovery: how a client learns the address and port that the voice server sees.

use std::net::Ipv4Addr;

use crate::rtp::Ssrc;

/// Bytes of a request and of a response.
pub const DISCOVERY_LEN: usize = 74;
/// Value of the length field: what follows type and length.
const BODY_LEN: u16 = 70;
const REQUEST: u16 = 1;
const RESPONSE: u16 = 2;

/// The external address of a UDP socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Discovered {
    /// External IPv4 address.
    pub address: Ipv4Addr,
    /// External UDP port.
    pub port: u16,
}

/// Why a datagram is no answer to our request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DiscoveryError {
    /// Not 74 bytes.
    #[error("the discovery response does not have 74 bytes")]
    Length,
    /// Type or length field differ.
    #[error("the datagram is not a discovery response")]
    Kind,
    /// It answers another SSRC.
    #[error("the discovery response is for another SSRC")]
    Ssrc,
    /// The address is not a dotted IPv4 literal that ends in a NUL.
    #[error("the discovery response holds no IPv4 address")]
    Address,
    /// Port 0.
    #[error("the discovery response holds port 0")]
    Port,
}

/// The request: everything after the SSRC is zero, as servers demand.
#[must_use]
pub fn request(ssrc: Ssrc) -> [u8; DISCOVERY_LEN] {
    let mut out = [0; DISCOVERY_LEN];
    out[0..2].copy_from_slice(&REQUEST.to_be_bytes());
    out[2..4].copy_from_slice(&BODY_LEN.to_be_bytes());
    out[4..8].copy_from_slice(&ssrc.0.to_be_bytes());
    out
}

/// Reads the answer to our request.
///
/// # Errors
/// [`DiscoveryError`]: ignore the datagram and keep waiting.
pub fn parse_response(datagram: &[u8], ssrc: Ssrc) -> Result<Discovered, DiscoveryError> {
    let bytes: &[u8; DISCOVERY_LEN] = datagram.try_into().map_err(|_| DiscoveryError::Length)?;
    if bytes[0..2] != RESPONSE.to_be_bytes() || bytes[2..4] != BODY_LEN.to_be_bytes() {
        return Err(DiscoveryError::Kind);
    }
    if bytes[4..8] != ssrc.0.to_be_bytes() {
        return Err(DiscoveryError::Ssrc);
    }
    let text = bytes[8..72].split(|byte| *byte == 0).next().unwrap_or(&[]);
    let address = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(DiscoveryError::Address)?;
    match u16::from_be_bytes([bytes[72], bytes[73]]) {
        0 => Err(DiscoveryError::Port),
        port => Ok(Discovered { address, port }),
    }
}

/// When to ask (again): UDP loses packets, so the request is repeated.
#[derive(Clone, Copy, Debug)]
pub struct DiscoveryRetry {
    next_ns: u64,
    left: u32,
}

/// What to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiscoveryStep {
    /// Send the request.
    Send,
    /// Wait until this time.
    Wait {
        /// When to ask again, in nanoseconds.
        until_ns: u64,
    },
    /// Every try went unanswered.
    GiveUp,
}

impl DiscoveryRetry {
    /// Time between tries: 1 s.
    pub const INTERVAL_NS: u64 = 1_000_000_000;
    /// Number of tries: 10.
    pub const TRIES: u32 = 10;

    /// Begins now.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self {
            next_ns: now_ns,
            left: Self::TRIES,
        }
    }

    /// What to do at `now_ns`; call again after each [`DiscoveryStep::Send`].
    pub fn poll(&mut self, now_ns: u64) -> DiscoveryStep {
        if now_ns < self.next_ns {
            return DiscoveryStep::Wait {
                until_ns: self.next_ns,
            };
        }
        if self.left == 0 {
            return DiscoveryStep::GiveUp;
        }
        self.left -= 1;
        self.next_ns = now_ns + Self::INTERVAL_NS;
        DiscoveryStep::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSRC: Ssrc = Ssrc(123_456);

    fn response(address: &[u8], port: u16) -> [u8; DISCOVERY_LEN] {
        let mut out = [0; DISCOVERY_LEN];
        out[..8].copy_from_slice(&[0, 2, 0, 0x46, 0, 1, 0xE2, 0x40]);
        out[8..8 + address.len()].copy_from_slice(address);
        out[72..].copy_from_slice(&port.to_be_bytes());
        out
    }

    #[test]
    fn request_is_that_of_the_reference() {
        let request = request(SSRC);
        assert_eq!(request[..8], [0, 1, 0, 0x46, 0, 1, 0xE2, 0x40]);
        assert!(request[8..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn reads_the_response_of_the_reference() {
        let found = parse_response(&response(b"203.0.113.7", 0xC354), SSRC);
        let expected = Discovered {
            address: Ipv4Addr::new(203, 0, 113, 7),
            port: 50_004,
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn refuses_what_is_no_answer() {
        let good = response(b"203.0.113.7", 9);
        let mut other_kind = good;
        other_kind[1] = 1;
        let cases: [(&[u8], Ssrc, DiscoveryError); 7] = [
            (&good[..70], SSRC, DiscoveryError::Length),
            (&other_kind, SSRC, DiscoveryError::Kind),
            (&good, Ssrc(1), DiscoveryError::Ssrc),
            (&response(b"", 9), SSRC, DiscoveryError::Address),
            (&response(b"::1", 9), SSRC, DiscoveryError::Address),
            (&response(&[0xFF; 64], 9), SSRC, DiscoveryError::Address),
            (&response(b"203.0.113.7", 0), SSRC, DiscoveryError::Port),
        ];
        for (datagram, ssrc, error) in cases {
            assert_eq!(parse_response(datagram, ssrc), Err(error));
        }
    }

    #[test]
    fn asks_ten_times_a_second_apart() {
        let mut retry = DiscoveryRetry::new(5);
        let mut now = 5;
        for _ in 0..DiscoveryRetry::TRIES {
            assert_eq!(retry.poll(now), DiscoveryStep::Send);
            let until_ns = now + DiscoveryRetry::INTERVAL_NS;
            assert_eq!(retry.poll(now + 1), DiscoveryStep::Wait { until_ns });
            now = until_ns;
        }
        assert_eq!(retry.poll(now), DiscoveryStep::GiveUp);
    }
}
