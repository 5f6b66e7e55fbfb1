//! Whether a socket still takes packets, judged over some seconds.

use std::io;

/// Reached after 1 s of nothing but errors, or 4 s of every second packet failing, which is how a
/// connected UDP socket behaves when its peer is gone.
const BROKEN: u16 = 100;

/// How badly sending fails on one link.
#[derive(Debug, Default)]
pub(crate) struct LinkHealth {
    score: u16,
    told: bool,
}

impl LinkHealth {
    /// A packet went out.
    pub(crate) fn sent(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// A packet came in: the peer is there.
    pub(crate) fn heard(&mut self) {
        self.score = 0;
    }

    /// A packet was refused, here or there. The error number, once per link, when most of them are.
    pub(crate) fn refused(&mut self, error: &io::Error) -> Option<i32> {
        // A full send buffer says nothing about the peer and empties by itself.
        if error.kind() == io::ErrorKind::WouldBlock {
            return None;
        }
        self.score = self.score.saturating_add(2);
        if self.told || self.score < BROKEN {
            return None;
        }
        self.told = true;
        Some(error.raw_os_error().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_packet_failing_is_told_once() {
        let mut health = LinkHealth::default();
        let told = (0..1_000).filter(|_| {
            health.sent();
            health.refused(&refused()).is_some()
        });
        assert_eq!(told.count(), 1);
    }

    #[test]
    fn an_error_now_and_then_and_full_buffers_are_not_told() {
        let mut health = LinkHealth::default();
        for _ in 0..10_000 {
            assert_eq!(health.refused(&io::ErrorKind::WouldBlock.into()), None);
            assert_eq!(health.refused(&refused()), None);
            (0..3).for_each(|_| health.sent());
        }
    }

    fn refused() -> io::Error {
        io::Error::from_raw_os_error(111)
    }
}
