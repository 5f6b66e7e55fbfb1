//! Where packets go in tests: kept with their sender and time of arrival.

use crate::ManualClock;

/// One packet as it arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// Who sent it, as the test numbered senders.
    pub from: u32,
    /// When it arrived.
    pub at_ns: u64,
    /// Its bytes.
    pub datagram: Vec<u8>,
}

/// Keeps every packet, and can be told to refuse some.
#[derive(Debug)]
pub struct RecordingSink {
    clock: ManualClock,
    packets: Vec<Recorded>,
    refusing: bool,
    refused: u64,
}

impl RecordingSink {
    /// An empty record that reads arrival times from `clock`.
    pub fn new(clock: ManualClock) -> RecordingSink {
        RecordingSink {
            clock,
            packets: Vec::new(),
            refusing: false,
            refused: 0,
        }
    }

    /// Takes a packet. `false` when it is refusing.
    pub fn record(&mut self, from: u32, datagram: &[u8]) -> bool {
        if self.refusing {
            self.refused += 1;
            return false;
        }
        self.packets.push(Recorded {
            from,
            at_ns: self.clock.now_ns(),
            datagram: datagram.to_vec(),
        });
        true
    }

    /// Refuses packets from now on, or takes them again.
    pub fn set_refusing(&mut self, refusing: bool) {
        self.refusing = refusing;
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What arrived since the last call.
    pub fn take(&mut self) -> Vec<Recorded> {
        std::mem::take(&mut self.packets)
    }
}
