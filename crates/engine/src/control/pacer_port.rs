//! The way to one pacer: its command ring, its places and its counters.

use std::collections::HashMap;
use std::sync::Arc;

use rtrb::Producer;

use super::balance::PacerLoad;
use crate::EngineError;
use crate::flow::Flow;
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
    /// What is meant for flows that are still on their way from another pacer, by place.
    arriving: HashMap<u32, Vec<Command<UdpHandle>>>,
    /// Wake-ups when the load was last looked at: a thread that rests measures nothing.
    seen_wakeups: u64,
}

/// Commands that wait for one flow on its way, at most; the way takes a few milliseconds.
const MOST_ARRIVING: usize = 64;

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
            arriving: HashMap::new(),
            seen_wakeups: 0,
        }
    }

    /// Queues a command, or refuses it while the pacer is far behind.
    pub(crate) fn send(&mut self, command: Command<UdpHandle>) -> Result<(), EngineError> {
        let waiting = self.arriving.get(&command.place()).map_or(0, Vec::len);
        if !self.has_room() || waiting >= MOST_ARRIVING {
            return Err(EngineError::Busy);
        }
        self.send_always(command);
        Ok(())
    }

    /// Queues a command for which room is reserved.
    pub(crate) fn send_always(&mut self, command: Command<UdpHandle>) {
        match self.arriving.get_mut(&command.place()) {
            Some(waiting) => waiting.push(command),
            None => self.queue(command),
        }
    }

    /// Holds back what is meant for a place until its flow [`arrive`](Self::arrive)s.
    pub(crate) fn expect(&mut self, place: u32) {
        self.arriving.insert(place, Vec::new());
    }

    /// Passes on a flow that came from another pacer, and what was meant for it in the meantime.
    pub(crate) fn arrive(&mut self, place: u32, flow: Box<Flow<UdpHandle>>) {
        let waiting = self.arriving.remove(&place).unwrap_or_default();
        self.queue(Command::Insert { place, flow });
        for command in waiting {
            self.queue(command);
        }
    }

    fn queue(&mut self, command: Command<UdpHandle>) {
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

    /// What the pacer has done since this was last asked, about a second ago.
    pub(crate) fn load(&mut self) -> PacerLoad {
        let wakeups = self.counters.wakeups.value();
        let rests = std::mem::replace(&mut self.seen_wakeups, wakeups) == wakeups;
        PacerLoad {
            permille: if rests {
                0
            } else {
                self.counters.load_permille()
            },
            flows: self.flows(),
        }
    }

    pub(crate) fn was_used(&self) -> bool {
        self.counters.wakeups.value() > 1
    }

    pub(crate) fn stats(&self) -> PacerStats {
        self.counters.snapshot(self.flows() as u64)
    }
}
