//! A network path that loses, doubles, delays and reorders packets, the same way for the same seed.

use crate::SeededRandom;

/// How bad a link is. The default delivers everything at once and in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkConfig {
    /// Packets lost, per 1000.
    pub drop_permille: u32,
    /// Packets delivered twice, per 1000.
    pub duplicate_permille: u32,
    /// Packets held back by `reorder_ns` more, per 1000, so that later ones overtake them.
    pub reorder_permille: u32,
    /// How long those are held back, nanoseconds.
    pub reorder_ns: u64,
    /// Time each packet takes at least, nanoseconds.
    pub delay_ns: u64,
    /// Random time on top, up to this many nanoseconds.
    pub jitter_ns: u64,
}

/// Packets under way.
#[derive(Debug)]
pub struct LossyLink {
    config: LinkConfig,
    random: SeededRandom,
    /// Arrival time, order of sending, bytes.
    under_way: Vec<(u64, u64, Vec<u8>)>,
    sent: u64,
    dropped: u64,
    duplicated: u64,
}

impl LossyLink {
    /// A link with nothing under way.
    pub fn new(config: LinkConfig, seed: u64) -> LossyLink {
        LossyLink {
            config,
            random: SeededRandom::new(seed),
            under_way: Vec::new(),
            sent: 0,
            dropped: 0,
            duplicated: 0,
        }
    }

    /// Sends a packet at `now_ns`.
    pub fn send(&mut self, now_ns: u64, datagram: &[u8]) {
        self.sent += 1;
        if self.random.chance(self.config.drop_permille) {
            self.dropped += 1;
            return;
        }
        self.launch(now_ns, datagram);
        if self.random.chance(self.config.duplicate_permille) {
            self.duplicated += 1;
            self.launch(now_ns, datagram);
        }
    }

    /// The packets that have arrived by `now_ns`, in order of arrival.
    pub fn receive(&mut self, now_ns: u64) -> Vec<Vec<u8>> {
        self.under_way
            .sort_by_key(|(at_ns, order, _)| (*at_ns, *order));
        let arrived = self
            .under_way
            .partition_point(|(at_ns, ..)| *at_ns <= now_ns);
        self.under_way
            .drain(..arrived)
            .map(|(.., bytes)| bytes)
            .collect()
    }

    /// Packets lost so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Packets doubled so far.
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    fn launch(&mut self, now_ns: u64, datagram: &[u8]) {
        let config = self.config;
        let mut at_ns = now_ns + config.delay_ns + self.random.below(config.jitter_ns + 1);
        if self.random.chance(config.reorder_permille) {
            at_ns += config.reorder_ns;
        }
        let order = self.sent + self.duplicated;
        self.under_way.push((at_ns, order, datagram.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_link_delivers_everything_in_order() {
        let mut link = LossyLink::new(LinkConfig::default(), 1);
        assert_eq!(deliver(&mut link, 100), (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn a_bad_link_loses_doubles_and_reorders_and_repeats_itself() {
        let config = LinkConfig {
            drop_permille: 100,
            duplicate_permille: 100,
            reorder_permille: 100,
            reorder_ns: 50,
            delay_ns: 5,
            jitter_ns: 3,
        };
        let first = deliver(&mut LossyLink::new(config, 42), 200);
        let second = deliver(&mut LossyLink::new(config, 42), 200);
        assert_eq!(first, second);
        assert!(!first.is_sorted(), "some were overtaken");
        let distinct: std::collections::BTreeSet<u8> = first.iter().copied().collect();
        assert!(distinct.len() < 200, "some were lost");
        assert!(distinct.len() < first.len(), "some were doubled");
    }

    #[test]
    fn packets_arrive_after_the_delay() {
        let config = LinkConfig {
            delay_ns: 10,
            ..LinkConfig::default()
        };
        let mut link = LossyLink::new(config, 1);
        link.send(100, &[1]);
        assert!(link.receive(109).is_empty());
        assert_eq!(link.receive(110), [[1]]);
    }

    /// Sends `count` numbered packets 10 ns apart and returns the numbers as they arrive.
    fn deliver(link: &mut LossyLink, count: u8) -> Vec<u8> {
        let mut arrived = Vec::new();
        for n in 0..count {
            link.send(u64::from(n) * 10, &[n]);
            arrived.extend(link.receive(u64::from(n) * 10));
        }
        arrived.extend(link.receive(u64::MAX));
        arrived.into_iter().map(|datagram| datagram[0]).collect()
    }
}
