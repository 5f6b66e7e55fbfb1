//! The sending side's heart: a thread that hands every flow's frame to its socket when it is due.
//!
//! A tick is a list of phases: take in commands, serve the slots that are due, ring the bell, say
//! when to come again. Nothing in it allocates, frees, locks, logs or waits; what it no longer needs
//! goes through a ring to be freed elsewhere. The clock and the packet sink are given from outside.

mod command;
mod lateness;
mod meter;
mod output;
mod realtime;
mod scheduling;
mod serving;
mod thread;
mod wheel;

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::clock::Clock;
use crate::flow::Flow;
use crate::transport::{Doorbell, PacketSink};

pub use command::Command;
pub(crate) use command::Garbage;
pub use lateness::Lateness;
pub use meter::PacerCounters;
pub(crate) use output::Output;
pub use output::{Notice, PacerReports};
pub(crate) use thread::{PacerThread, PacerWaker};

use meter::Meter;
use serving::Batch;
use wheel::{Place, SLOT_NS, SLOTS, Wheel, first_ms, slot_of};

/// Commands applied in one tick; the rest wait for the next one, a millisecond later.
const COMMANDS_PER_TICK: usize = 512;

/// Sizes of a pacer.
#[derive(Clone, Copy, Debug)]
pub struct PacerConfig {
    /// Flows there are places for; indexes of [`Command`]s lie below it.
    pub max_flows: usize,
    /// Commands that may wait.
    pub commands: usize,
    /// After how long without a frame a track counts as stalled, milliseconds.
    pub stall_ms: u32,
    /// How long a track waits for end-to-end encryption before its time passes unheard, milliseconds.
    pub hold_ms: u32,
}

/// The other threads' ends of a new pacer.
pub struct PacerPorts<H> {
    /// Takes commands, in order.
    pub commands: Producer<Command<H>>,
    /// Gives what happened.
    pub reports: PacerReports<H>,
    /// Counters, readable at any time.
    pub counters: Arc<PacerCounters>,
}

/// All state of one sending thread.
pub struct Pacer<C, S: PacketSink> {
    clock: C,
    sink: S,
    flows: Vec<Option<Seat<S::Handle>>>,
    wheel: Wheel,
    /// The first millisecond whose slot has not been served.
    cursor_ms: u64,
    commands: Consumer<Command<S::Handle>>,
    output: Output<S::Handle>,
    counters: Arc<PacerCounters>,
    meter: Meter,
    batch: Box<Batch>,
    stall_ns: u64,
    hold_ns: u64,
    /// The load of the window that closed last, until it is asked for.
    closed_load: Option<u32>,
}

struct Seat<H> {
    flow: Box<Flow<H>>,
    /// Where on the wheel, while the flow has something to do.
    place: Option<Place>,
}

impl<C: Clock, S: PacketSink> Pacer<C, S> {
    /// Makes a pacer with everything it will ever need. `wake` is rung when reports wait.
    pub fn new(
        config: PacerConfig,
        clock: C,
        sink: S,
        wake: Arc<Doorbell>,
    ) -> (Self, PacerPorts<S::Handle>) {
        let (command_in, command_out) = RingBuffer::new(config.commands);
        let (output, reports) = output::output(wake);
        let counters = Arc::new(PacerCounters::default());
        let mut flows = Vec::new();
        flows.resize_with(config.max_flows, || None);
        let now_ns = clock.now_ns();
        let pacer = Pacer {
            clock,
            sink,
            flows,
            wheel: Wheel::new(config.max_flows),
            cursor_ms: now_ns / SLOT_NS,
            commands: command_out,
            output,
            counters: Arc::clone(&counters),
            meter: Meter::new(now_ns),
            batch: Box::default(),
            stall_ns: u64::from(config.stall_ms) * SLOT_NS,
            hold_ns: u64::from(config.hold_ms) * SLOT_NS,
            closed_load: None,
        };
        let ports = PacerPorts {
            commands: command_in,
            reports,
            counters,
        };
        (pacer, ports)
    }

    /// Does all that is due, and says when to come again; `None` means when a command arrives.
    #[cfg_attr(cadenza_rtsan, sanitize(realtime = "nonblocking"))]
    pub fn tick(&mut self) -> Option<u64> {
        let began_ns = self.clock.now_ns();
        self.apply_commands(began_ns);
        self.serve_due_slots(began_ns / SLOT_NS);
        self.output.ring();
        let next_ns = self.next_tick_ns(began_ns);
        let ended_ns = self.clock.now_ns();
        let closed = self.meter.tick(began_ns, ended_ns, &self.counters);
        self.closed_load = closed.or(self.closed_load);
        next_ns
    }

    /// The packet sink, for whoever looks at what it recorded.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Flows that have something to do every period.
    pub fn active_flows(&self) -> usize {
        self.wheel.live()
    }

    /// The load of a window that has closed since this was last asked, 0 to 1000.
    pub(crate) fn take_closed_load(&mut self) -> Option<u32> {
        self.closed_load.take()
    }

    pub(crate) fn counters(&self) -> &PacerCounters {
        &self.counters
    }

    /// Whether commands wait for the next tick.
    pub(crate) fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    fn next_tick_ns(&self, now_ns: u64) -> Option<u64> {
        let slot_ns = self
            .wheel
            .next_due_ms(self.cursor_ms)
            .map(|ms| ms * SLOT_NS);
        if self.commands.is_empty() {
            return slot_ns;
        }
        let soon_ns = now_ns + SLOT_NS;
        Some(slot_ns.map_or(soon_ns, |slot_ns| slot_ns.min(soon_ns)))
    }

    fn serve_due_slots(&mut self, now_ms: u64) {
        // After a stall each slot is served once; its flows find out themselves what they missed.
        let from_ms = self.cursor_ms.max((now_ms + 1).saturating_sub(SLOTS));
        for ms in from_ms..=now_ms {
            self.serve_slot(slot_of(ms));
            self.regroup(slot_of(ms), ms);
        }
        self.cursor_ms = self.cursor_ms.max(now_ms + 1);
    }

    /// Moves a flow out of a slot that so few flows do not need, if it was served there at `ms`.
    fn regroup(&mut self, slot: u8, ms: u64) {
        let Some(index) = self.wheel.surplus(slot) else {
            return;
        };
        let target = self.wheel.least_loaded();
        let Some(seat) = &self.flows[index as usize] else {
            return;
        };
        let due_ns = seat.flow.due_in_slot(u64::from(target) * SLOT_NS);
        // Later slots of this round are still to be served, earlier ones have been.
        if due_ns <= ms * SLOT_NS {
            return;
        }
        self.unseat(index);
        let place = self.wheel.place_in(target, index);
        let place = place.or_else(|| self.wheel.place_in(slot, index));
        if let Some(seat) = &mut self.flows[index as usize] {
            seat.place = place;
            if place.is_some_and(|place| place.slot == target) {
                seat.flow.go_on_at(due_ns);
            }
        }
    }

    fn apply_commands(&mut self, now_ns: u64) {
        for _ in 0..COMMANDS_PER_TICK {
            if !self.output.has_garbage_room() {
                break;
            }
            let Ok(command) = self.commands.pop() else {
                break;
            };
            let index = command.place();
            self.apply(command);
            self.seat_on_wheel(index, now_ns);
        }
    }

    fn apply(&mut self, command: Command<S::Handle>) {
        let index = command.place();
        if let Command::Insert { flow, .. } = command {
            let seat = Seat { flow, place: None };
            let former = self.flows[index as usize].replace(seat);
            debug_assert!(former.is_none(), "control hands out free places");
            return;
        }
        let Some(seat) = &mut self.flows[index as usize] else {
            // Nobody is there any more, but what the command carries must not be freed here.
            if let Some(garbage) = command.into_garbage() {
                self.output.dispose(garbage);
            }
            return;
        };
        let flow = &mut seat.flow;
        let left_over = match command {
            Command::Insert { .. } => None,
            Command::Remove { .. } => {
                self.take_off_wheel(index);
                let seat = self.flows[index as usize].take();
                seat.map(|seat| Garbage::Flow(seat.flow))
            }
            Command::Leave { .. } => {
                let slot = seat.place.map(|place| place.slot);
                self.unseat(index);
                let seat = self.flows[index as usize].take();
                seat.map(|mut seat| {
                    seat.flow.carry_slot(slot);
                    Garbage::Moving(seat.flow)
                })
            }
            Command::Link { link, .. } => flow.set_link(Some(link)).map(Garbage::Link),
            Command::Unlink { .. } => flow.set_link(None).map(Garbage::Link),
            Command::Session { session, .. } => flow.set_session(session).map(Garbage::Session),
            Command::Revive { ssrc, .. } => {
                flow.revive_session(ssrc);
                None
            }
            Command::Frames { frames, .. } => Some(Garbage::Frames(flow.set_frames(frames))),
            Command::Feed { feed, .. } => flow.set_feed(Some(feed)).map(Garbage::Feed),
            Command::Clear { .. } => flow.set_feed(None).map(Garbage::Feed),
            Command::Poke { .. } => {
                flow.take_poke();
                None
            }
        };
        if let Some(garbage) = left_over {
            self.output.dispose(garbage);
        }
    }

    /// Gives a flow that has something to do a slot, if it has none.
    fn seat_on_wheel(&mut self, index: u32, now_ns: u64) {
        let Some(seat) = &mut self.flows[index as usize] else {
            return;
        };
        if seat.place.is_some() {
            return;
        }
        let carried = seat.flow.take_carried_slot();
        if !seat.flow.wants_turns() {
            if carried.is_some() {
                seat.flow.end_turns();
            }
            return;
        }
        // Whoever comes from another pacer keeps its slot, and with it its grid.
        let kept = carried.and_then(|slot| self.wheel.place_in(slot, index));
        if kept.is_some() {
            seat.place = kept;
            return;
        }
        let place = self.wheel.place(index);
        seat.place = Some(place);
        let from_ms = self.cursor_ms.max(now_ns.div_ceil(SLOT_NS));
        seat.flow
            .begin_turns(first_ms(place.slot, from_ms) * SLOT_NS);
    }

    fn take_off_wheel(&mut self, index: u32) {
        if self.unseat(index)
            && let Some(seat) = &mut self.flows[index as usize]
        {
            seat.flow.end_turns();
        }
    }

    /// Takes a flow's place on the wheel, if it has one.
    fn unseat(&mut self, index: u32) -> bool {
        let place = self.flows[index as usize]
            .as_mut()
            .and_then(|seat| seat.place.take());
        let Some(place) = place else { return false };
        let moved = self.wheel.remove(place);
        let moved = moved.and_then(|index| self.flows[index as usize].as_mut());
        if let Some(moved) = moved {
            moved.place = Some(place);
        }
        true
    }
}
