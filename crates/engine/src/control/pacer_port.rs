//! The way to one pacer: its command ring, its places and its counters.

use std::sync::Arc;

use rtrb::Producer;

use crate::EngineError;
use crate::pacer::{Command, PacerCounters, PacerWaker};
use crate::stats::PacerStats;
use crate::transport::UdpHandle;

/// Sends commands to a pacer. Its owner's mutex makes it the ring's single producer.
pub(crate) struct PacerPort {
    commands: Producer<Command<UdpHandle>>,
    waker: PacerWaker,
    counters: Arc<PacerCounters>,
    free_places: Vec<u32>,
    max_flows: usize,
}

/// Room in a command ring for `max_flows` flows.
///
/// Commands that may be refused get the first quarter. Those that may not (remove, unlink, clear, poke)
/// each undo or repeat an earlier one that was counted, or are queued once per flow, so that the rest
/// always holds them.
pub(crate) fn command_capacity(max_flows: usize) -> usize {
    (max_flows * 2 + 1_024) * 4
}

impl PacerPort {
    pub(crate) fn new(
        commands: Producer<Command<UdpHandle>>,
        waker: PacerWaker,
        counters: Arc<PacerCounters>,
        max_flows: usize,
    ) -> PacerPort {
        PacerPort {
            commands,
            waker,
            counters,
            free_places: (0..max_flows as u32).rev().collect(),
            max_flows,
        }
    }

    /// Queues a command, or refuses it while the pacer is far behind.
    pub(crate) fn send(&mut self, command: Command<UdpHandle>) -> Result<(), EngineError> {
        if !self.has_room() {
            return Err(EngineError::Busy);
        }
        self.send_always(command);
        Ok(())
    }

    /// Queues a command for which room is reserved.
    pub(crate) fn send_always(&mut self, command: Command<UdpHandle>) {
        if self.commands.push(command).is_err() {
            tracing::error!("a pacer takes no more commands; its thread must have died");
        }
        self.waker.wake();
    }

    /// Whether [`send`](Self::send) would succeed.
    pub(crate) fn has_room(&self) -> bool {
        let capacity = command_capacity(self.max_flows);
        capacity - self.commands.slots() < capacity / 4
    }

    pub(crate) fn take_place(&mut self) -> Result<u32, EngineError> {
        self.free_places.pop().ok_or(EngineError::TooManyFlows)
    }

    /// Frees a place. A new flow's insertion is queued behind the removal of the former one.
    pub(crate) fn give_back(&mut self, place: u32) {
        self.free_places.push(place);
    }

    pub(crate) fn flows(&self) -> usize {
        self.max_flows - self.free_places.len()
    }

    pub(crate) fn stats(&self) -> PacerStats {
        self.counters.snapshot(self.flows() as u64)
    }
}
