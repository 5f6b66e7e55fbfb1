//! What the engine knows about its flows outside the pacers: places, transports, keys, tracks.
//!
//! One mutex guards it. Callers, the receive thread and the feed event thread take it briefly and
//! never wait for a pacer while they hold it; a pacer never takes it.

mod balance;
mod flow_entry;
mod pacer_port;
mod placement;
mod reports;
mod streams;
mod track;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::{EndReason, EngineEvent, EventQueue};
use crate::flow::{Flow, FlowShared};
use crate::pacer::Command;
use crate::stats::{EngineStats, FlowStats};
use crate::transport::UdpHandle;
use crate::{EngineError, FlowId};

use balance::{Balance, PacerLoad};
pub(crate) use flow_entry::{FlowEntry, Keys, OpenTransport, Pushing, Stream};
pub(crate) use pacer_port::{PacerPort, command_capacity};
pub(crate) use track::PlayingTrack;

/// The engine's bookkeeping, shared by all its threads but the pacers.
pub(crate) struct Control {
    table: Mutex<Table>,
    pub(crate) events: EventQueue,
}

/// All flows and the ways to their pacers.
pub(crate) struct Table {
    pub(crate) flows: HashMap<FlowId, FlowEntry>,
    pub(crate) pacers: Vec<PacerPort>,
    balance: Balance,
    /// The pacers' loads when they were last looked at.
    loads: Vec<PacerLoad>,
    /// Flows on their way, and the pacer and place where they are to arrive.
    moving: HashMap<FlowId, (usize, u32)>,
    next_flow: FlowId,
    /// Numbers every feed ever started, so that late news about an earlier one is recognised.
    next_serial: u32,
    open: bool,
}

impl Control {
    /// `in_use` of the pacers take flows from the start.
    pub(crate) fn new(pacers: Vec<PacerPort>, in_use: usize, events: EventQueue) -> Control {
        Control {
            table: Mutex::new(Table {
                flows: HashMap::new(),
                pacers,
                balance: Balance::new(in_use),
                loads: Vec::new(),
                moving: HashMap::new(),
                next_flow: 1,
                next_serial: 1,
                open: true,
            }),
            events,
        }
    }

    /// Runs `change` under the mutex and wakes the reader of events afterwards.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Table, &EventQueue) -> T) -> T {
        let result = change(&mut self.lock(), &self.events);
        self.events.notify();
        result
    }

    /// Makes a flow: the sending side of a call, or of a stream.
    pub(crate) fn create_flow(&self, stream: Option<Stream>) -> Result<FlowId, EngineError> {
        self.with(|table, _| table.create_flow(stream))
    }

    pub(crate) fn flow_stats(&self, flow: FlowId) -> Option<FlowStats> {
        self.lock().flows.get(&flow).map(FlowEntry::stats)
    }

    pub(crate) fn stats(&self) -> EngineStats {
        let table = self.lock();
        EngineStats {
            flows: table.flows.len() as u64,
            pacers: table.pacers[..table.used()]
                .iter()
                .map(PacerPort::stats)
                .collect(),
            events_dropped: self.events.dropped(),
            ..EngineStats::default()
        }
    }

    /// Refuses everything from now on.
    pub(crate) fn close(&self) {
        self.with(|table, events| {
            for (id, entry) in &mut table.flows {
                entry.end_track(*id, EndReason::Stopped, events);
            }
            table.flows.clear();
            table.open = false;
        });
    }

    /// A panic under the mutex would be a bug, but must not take the other flows with it.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The flow and the way to its pacer.
    pub(crate) fn flow(
        &mut self,
        flow: FlowId,
    ) -> Result<(&mut FlowEntry, &mut PacerPort), EngineError> {
        if !self.open {
            return Err(EngineError::ShutDown);
        }
        let entry = self.flows.get_mut(&flow).ok_or(EngineError::UnknownFlow)?;
        let pacer = &mut self.pacers[entry.pacer];
        Ok((entry, pacer))
    }

    pub(crate) fn next_serial(&mut self) -> u32 {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        serial
    }

    /// Takes a flow out of its pacer and out of the table.
    pub(crate) fn remove_flow(
        &mut self,
        flow: FlowId,
        events: &EventQueue,
    ) -> Result<FlowEntry, EngineError> {
        self.flow(flow)?;
        let mut entry = self.flows.remove(&flow).ok_or(EngineError::UnknownFlow)?;
        entry.end_track(flow, EndReason::Stopped, events);
        self.strike(flow, entry.subscribed_to);
        self.dismiss_subscribers(&mut entry);
        let place = entry.place;
        let pacer = &mut self.pacers[entry.pacer];
        pacer.send_always(Command::Remove { place });
        pacer.give_back(place);
        Ok(entry)
    }

    fn create_flow(&mut self, stream: Option<Stream>) -> Result<FlowId, EngineError> {
        if !self.open {
            return Err(EngineError::ShutDown);
        }
        let number = self.emptiest();
        let id = self.free_id();
        let pacer = &mut self.pacers[number];
        let place = pacer.take_place()?;
        let shared = Arc::<FlowShared>::default();
        let for_flow = Arc::clone(&shared);
        let flow: Box<Flow<UdpHandle>> = Box::new(match &stream {
            Some(stream) => Flow::stream(id, for_flow, Arc::clone(&stream.ring)),
            None => Flow::new(id, for_flow),
        });
        if let Err(error) = pacer.send(Command::Insert { place, flow }) {
            pacer.give_back(place);
            return Err(error);
        }
        let mut entry = FlowEntry::new(number, place, shared);
        entry.stream = stream;
        self.flows.insert(id, entry);
        Ok(id)
    }

    fn free_id(&mut self) -> FlowId {
        loop {
            let id = self.next_flow;
            self.next_flow = id.wrapping_add(1);
            if !self.flows.contains_key(&id) {
                return id;
            }
        }
    }
}

impl FlowEntry {
    /// Tells that the present track is over, if there is one.
    pub(crate) fn end_track(
        &mut self,
        flow: FlowId,
        reason: EndReason,
        events: &EventQueue,
    ) -> Option<PlayingTrack> {
        let ended = self.track.take()?;
        events.push(EngineEvent::TrackEnded {
            flow,
            track: ended.track,
            reason,
        });
        Some(ended)
    }
}
