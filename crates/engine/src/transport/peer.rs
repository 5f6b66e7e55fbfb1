//! The conversation with a voice server besides media: IP discovery and keepalives. Pure; time is an
//! argument.

use std::net::Ipv4Addr;

use cadenza_proto::datagram::{DatagramKind, classify};
use cadenza_proto::discovery::{self, DISCOVERY_LEN, DiscoveryRetry, DiscoveryStep};
use cadenza_proto::keepalive::{self, Keepalive, PING_LEN};
use cadenza_proto::rtp::Ssrc;

/// What is to be sent or told now.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Action {
    AskForAddress([u8; DISCOVERY_LEN]),
    Ping([u8; PING_LEN]),
    GiveUpDiscovery { reason: &'static str },
}

/// What a datagram said.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Heard {
    Address(Ipv4Addr, u16),
    /// Microseconds between the last ping and its answer.
    RoundTrip(u32),
    /// Media, or nothing that concerns the transport.
    Other,
}

/// State of one transport's conversation.
pub(super) struct Peer {
    ssrc: Ssrc,
    /// `None` once answered or given up.
    discovery: Option<DiscoveryRetry>,
    discovery_due_ns: u64,
    malformed_answers: u32,
    keepalive: Keepalive,
    sequence: u32,
    /// When the ping with the present sequence number was sent, until it is answered.
    pinged_ns: Option<u64>,
}

impl Peer {
    /// Discovery and keepalives both begin now.
    pub(super) fn new(ssrc: u32, now_ns: u64) -> Peer {
        Peer {
            ssrc: Ssrc(ssrc),
            discovery: Some(DiscoveryRetry::new(now_ns)),
            discovery_due_ns: now_ns,
            malformed_answers: 0,
            keepalive: Keepalive::new(now_ns),
            sequence: 0,
            pinged_ns: None,
        }
    }

    /// The next thing owed at `now_ns`; call until there is none.
    pub(super) fn poll(&mut self, now_ns: u64) -> Option<Action> {
        self.poll_discovery(now_ns)
            .or_else(|| self.poll_keepalive(now_ns))
    }

    /// When to poll again.
    pub(super) fn next_due_ns(&self) -> u64 {
        let keepalive_ns = self.keepalive.next_due();
        match self.discovery {
            Some(_) => keepalive_ns.min(self.discovery_due_ns),
            None => keepalive_ns,
        }
    }

    /// Takes in a datagram.
    pub(super) fn hear(&mut self, now_ns: u64, datagram: &[u8]) -> Heard {
        match classify(datagram) {
            DatagramKind::Discovery => self.hear_discovery(datagram),
            DatagramKind::Pong => self.hear_pong(now_ns, datagram),
            DatagramKind::Echo | DatagramKind::Rtcp | DatagramKind::Rtp | DatagramKind::Unknown => {
                Heard::Other
            }
        }
    }

    fn poll_discovery(&mut self, now_ns: u64) -> Option<Action> {
        match self.discovery.as_mut()?.poll(now_ns) {
            DiscoveryStep::Send => Some(Action::AskForAddress(discovery::request(self.ssrc))),
            DiscoveryStep::Wait { until_ns } => {
                self.discovery_due_ns = until_ns;
                None
            }
            DiscoveryStep::GiveUp => {
                self.discovery = None;
                let reason = match self.malformed_answers {
                    0 => "discovery_timeout",
                    _ => "discovery_malformed",
                };
                Some(Action::GiveUpDiscovery { reason })
            }
        }
    }

    fn poll_keepalive(&mut self, now_ns: u64) -> Option<Action> {
        if !self.keepalive.poll(now_ns) {
            return None;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.pinged_ns = Some(now_ns);
        Some(Action::Ping(keepalive::ping(self.sequence)))
    }

    fn hear_discovery(&mut self, datagram: &[u8]) -> Heard {
        // Answers to repeated requests are normal; the first one counts.
        if self.discovery.is_none() {
            return Heard::Other;
        }
        match discovery::parse_response(datagram, self.ssrc) {
            Ok(found) => {
                self.discovery = None;
                Heard::Address(found.address, found.port)
            }
            Err(_) => {
                self.malformed_answers += 1;
                Heard::Other
            }
        }
    }

    fn hear_pong(&mut self, now_ns: u64, datagram: &[u8]) -> Heard {
        // An answer to an older ping is too late to measure anything.
        if keepalive::parse_pong(datagram) != Some(self.sequence) {
            return Heard::Other;
        }
        match self.pinged_ns.take() {
            Some(pinged_ns) => {
                let rtt_us = now_ns.saturating_sub(pinged_ns) / 1_000;
                Heard::RoundTrip(u32::try_from(rtt_us).unwrap_or(u32::MAX))
            }
            None => Heard::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn discovery_asks_ten_times_and_gives_up_once() {
        let mut peer = Peer::new(7, 0);
        let (mut asked, mut given_up) = (Vec::new(), Vec::new());
        for now in (0..20 * SECOND).step_by(50_000_000) {
            while let Some(action) = peer.poll(now) {
                match action {
                    Action::AskForAddress(_) => asked.push(now),
                    Action::GiveUpDiscovery { reason } => given_up.push((now, reason)),
                    Action::Ping(_) => {}
                }
            }
        }
        let every_second: Vec<u64> = (0..10).map(|n| n * SECOND).collect();
        assert_eq!(asked, every_second);
        assert_eq!(given_up, [(10 * SECOND, "discovery_timeout")]);
    }

    #[test]
    fn the_first_good_answer_ends_discovery() {
        let mut peer = Peer::new(7, 0);
        while peer.poll(0).is_some() {}
        assert_eq!(peer.hear(1, &answer(8)), Heard::Other, "another SSRC");
        let address = Heard::Address(Ipv4Addr::new(203, 0, 113, 7), 50_004);
        assert_eq!(peer.hear(2, &answer(7)), address);
        assert_eq!(peer.hear(3, &answer(7)), Heard::Other, "a duplicate");
        assert_eq!(peer.next_due_ns(), 5 * SECOND);
        assert_eq!(peer.poll(4 * SECOND), None);
    }

    #[test]
    fn only_bad_answers_give_their_own_reason() {
        let mut peer = Peer::new(7, 0);
        let mut reasons = Vec::new();
        for second in 0..12 {
            while let Some(action) = peer.poll(second * SECOND) {
                if let Action::GiveUpDiscovery { reason } = action {
                    reasons.push(reason);
                }
            }
            peer.hear(second * SECOND, &answer(8));
        }
        assert_eq!(reasons, ["discovery_malformed"]);
    }

    #[test]
    fn pings_go_every_five_seconds_with_or_without_answers() {
        let mut peer = Peer::new(7, 0);
        let mut pings = 0;
        for second in 0..60 {
            while let Some(action) = peer.poll(second * SECOND) {
                pings += u32::from(matches!(action, Action::Ping(_)));
            }
        }
        assert_eq!(pings, 12);
    }

    #[test]
    fn the_round_trip_is_that_of_the_latest_ping() {
        let mut peer = Peer::new(7, 0);
        while peer.poll(0).is_some() {}
        while peer.poll(5 * SECOND).is_some() {}
        let now = 5 * SECOND + 34_000;
        assert_eq!(peer.hear(now, &pong(1)), Heard::Other, "too late");
        assert_eq!(peer.hear(now, &pong(2)), Heard::RoundTrip(34));
        assert_eq!(peer.hear(now, &pong(2)), Heard::Other, "a duplicate");
    }

    #[test]
    fn any_bytes_at_all_are_taken_in_quietly() {
        let mut peer = Peer::new(7, 0);
        for len in 0..200 {
            for byte in [0x00, 0x13, 0x80, 0xFF] {
                assert_eq!(peer.hear(0, &vec![byte; len]), Heard::Other);
            }
        }
    }

    fn answer(ssrc: u32) -> [u8; DISCOVERY_LEN] {
        let mut out = [0; DISCOVERY_LEN];
        out[..4].copy_from_slice(&[0, 2, 0, 0x46]);
        out[4..8].copy_from_slice(&ssrc.to_be_bytes());
        out[8..19].copy_from_slice(b"203.0.113.7");
        out[72..].copy_from_slice(&50_004_u16.to_be_bytes());
        out
    }

    fn pong(sequence: u32) -> [u8; PING_LEN] {
        let mut out = keepalive::ping(sequence);
        out[2..4].copy_from_slice(&[0xF0, 0x0D]);
        out
    }
}
