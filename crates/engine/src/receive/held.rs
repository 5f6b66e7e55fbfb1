//! Packets of SSRCs nobody has announced yet: kept for a moment, because the announcement comes
//! another way and may be slower.

use std::collections::HashMap;

/// How long a packet is kept: 2 s, because the announcement comes through a JavaScript thread that may
/// be busy.
pub(super) const HOLD_NS: u64 = 2_000_000_000;
/// Packets kept for one SSRC.
const PER_SSRC: usize = 64;
/// SSRCs for which packets are kept.
const SSRCS: usize = 32;
/// Bytes kept for all of them.
const MAX_BYTES: usize = 256 << 10;

/// A datagram as it came.
pub(super) struct HeldPacket {
    pub(super) at_ns: u64,
    pub(super) datagram: Box<[u8]>,
}

/// The packets that wait.
#[derive(Default)]
pub(super) struct Held {
    by_ssrc: HashMap<u32, Vec<HeldPacket>>,
    bytes: usize,
}

impl Held {
    /// Keeps a packet; `false` when there is no room.
    pub(super) fn keep(&mut self, ssrc: u32, at_ns: u64, datagram: &[u8]) -> bool {
        let known = self.by_ssrc.contains_key(&ssrc);
        if !known && self.by_ssrc.len() >= SSRCS || self.bytes + datagram.len() > MAX_BYTES {
            return false;
        }
        let packets = self.by_ssrc.entry(ssrc).or_default();
        if packets.len() >= PER_SSRC {
            return false;
        }
        self.bytes += datagram.len();
        packets.push(HeldPacket {
            at_ns,
            datagram: datagram.into(),
        });
        true
    }

    /// The packets of an SSRC that has been announced.
    pub(super) fn take(&mut self, ssrc: u32) -> Vec<HeldPacket> {
        let packets = self.by_ssrc.remove(&ssrc).unwrap_or_default();
        self.count_bytes();
        packets
    }

    /// Drops what has waited too long; returns how many packets that were.
    pub(super) fn expire(&mut self, now_ns: u64) -> usize {
        let mut dropped = 0;
        self.by_ssrc.retain(|_, packets| {
            let before = packets.len();
            packets.retain(|packet| packet.at_ns.saturating_add(HOLD_NS) > now_ns);
            dropped += before - packets.len();
            !packets.is_empty()
        });
        self.count_bytes();
        dropped
    }

    fn count_bytes(&mut self) {
        let packets = self.by_ssrc.values().flatten();
        self.bytes = packets.map(|packet| packet.datagram.len()).sum();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_ssrc.is_empty()
    }

    /// Drops everything; returns how many packets that were.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        self.by_ssrc.drain().map(|(_, packets)| packets.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_kept_for_a_moment_and_in_bounds() {
        let mut held = Held::default();
        let kept = (0..100_u32).flat_map(|ssrc| (0..100).map(move |n| (ssrc, n)));
        let kept = kept.filter(|(ssrc, n)| held.keep(*ssrc, *n, &[1])).count();
        assert_eq!(kept, SSRCS * PER_SSRC);
        assert_eq!(held.take(3).len(), PER_SSRC);
        assert_eq!(held.take(3).len(), 0);
        assert_eq!(held.expire(HOLD_NS + 1), 2 * (SSRCS - 1));
        assert_eq!(held.expire(u64::MAX), (PER_SSRC - 2) * (SSRCS - 1));
        assert!(held.is_empty());
        assert!(
            (0..1_000)
                .filter(|n| held.keep(n % 32, 0, &[0; 1_500]))
                .count()
                < 180
        );
        assert!(held.clear() > 160 && held.keep(1, 0, &[0; 1_500]));
    }
}
