//! UDP keepalive: an 8-byte ping every 5 s; its answer gives the round trip, its absence means nothing.

/// Bytes of a ping and of its answer.
pub const PING_LEN: usize = 8;
const PING_MAGIC: [u8; 4] = [0x13, 0x37, 0xCA, 0xFE];
const PONG_MAGIC: [u8; 4] = [0x13, 0x37, 0xF0, 0x0D];

/// The ping with a sequence number of the caller's.
#[must_use]
pub fn ping(sequence: u32) -> [u8; PING_LEN] {
    let mut out = [0; PING_LEN];
    out[..4].copy_from_slice(&PING_MAGIC);
    out[4..].copy_from_slice(&sequence.to_be_bytes());
    out
}

/// The sequence number of a pong, if it is one.
#[must_use]
pub fn parse_pong(datagram: &[u8]) -> Option<u32> {
    let bytes: &[u8; PING_LEN] = datagram.try_into().ok()?;
    let [_, _, _, _, a, b, c, d] = *bytes;
    (bytes[..4] == PONG_MAGIC).then(|| u32::from_be_bytes([a, b, c, d]))
}

/// When the next ping is due.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    next_ns: u64,
}

impl Keepalive {
    /// Time between pings: 5 s.
    pub const INTERVAL_NS: u64 = 5_000_000_000;

    /// The first ping is due at once.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self { next_ns: now_ns }
    }

    /// Whether to send one now.
    pub fn poll(&mut self, now_ns: u64) -> bool {
        if now_ns < self.next_ns {
            return false;
        }
        self.next_ns = now_ns + Self::INTERVAL_NS;
        true
    }

    /// When the next one is due, in nanoseconds.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        self.next_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_reference() {
        assert_eq!(ping(1), [0x13, 0x37, 0xCA, 0xFE, 0, 0, 0, 1]);
        assert_eq!(parse_pong(&[0x13, 0x37, 0xF0, 0x0D, 0, 0, 0, 1]), Some(1));
        assert_eq!(parse_pong(&ping(1)), None);
        assert_eq!(parse_pong(&[0x13, 0x37, 0xF0, 0x0D]), None);
    }

    #[test]
    fn is_due_every_five_seconds() {
        let mut keepalive = Keepalive::new(7);
        assert!(keepalive.poll(7));
        assert!(!keepalive.poll(7 + Keepalive::INTERVAL_NS - 1));
        assert!(keepalive.poll(7 + Keepalive::INTERVAL_NS));
        assert_eq!(keepalive.next_due(), 7 + 2 * Keepalive::INTERVAL_NS);
    }
}
