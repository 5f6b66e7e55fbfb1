//! One slot: its flows are served a few at a time, each step for all of them before the next step.
//!
//! A call's state lies in a dozen places of memory, most of which have left the cache since its last turn.
//! Asked for together, they arrive together.

use super::{Pacer, Seat};
use crate::clock::Clock;
use crate::flow::{Datagram, FrameRoom, Ready, Settled, TurnIo};
use crate::prefetch::prefetch;
use crate::transport::PacketSink;
use cadenza_proto::MAX_DATAGRAM;

/// Flows served together: what they need, packets included, fits the first-level cache.
const GROUP: usize = 8;

/// Rounds over a slot; after a stall a flow sends up to three packets, one a round.
const ROUNDS: usize = 4;

/// Room for the packets of a group.
pub(super) struct Batch {
    frame: FrameRoom,
    datagrams: [Datagram; GROUP],
    ready: [Option<Ready>; GROUP],
}

impl Default for Batch {
    fn default() -> Batch {
        Batch {
            frame: FrameRoom::default(),
            datagrams: [[0; MAX_DATAGRAM]; GROUP],
            ready: [None; GROUP],
        }
    }
}

/// What a group leaves behind.
#[derive(Clone, Copy, Default)]
struct Left {
    /// Somebody has another packet due.
    behind: bool,
    /// Somebody has nothing more to do.
    leaving: bool,
}

impl<C: Clock, S: PacketSink> Pacer<C, S> {
    pub(super) fn serve_slot(&mut self, slot: u8) {
        let mut leaving = false;
        for _ in 0..ROUNDS {
            let mut behind = false;
            for from in (0..self.wheel.flows(slot).len()).step_by(GROUP) {
                let left = self.serve_group(slot, from);
                behind |= left.behind;
                leaving |= left.leaving;
            }
            if !behind {
                break;
            }
        }
        if leaving {
            self.let_go(slot);
        }
    }

    fn serve_group(&mut self, slot: u8, from: usize) -> Left {
        let Pacer {
            wheel,
            flows,
            batch,
            ..
        } = self;
        let rest = &wheel.flows(slot)[from..];
        let group = &rest[..rest.len().min(GROUP)];
        warm(&self.sink, flows, group);
        let now_ns = self.clock.now_ns();
        for (at, index) in group.iter().enumerate() {
            let seat = flows[*index as usize].as_mut();
            debug_assert!(
                seat.is_some(),
                "a flow leaves the wheel before its seat is cleared"
            );
            batch.ready[at] = seat.and_then(|seat| {
                seat.flow.prepare(&mut TurnIo {
                    now_ns,
                    frame: &mut batch.frame,
                    datagram: &mut batch.datagrams[at],
                    counters: &self.counters,
                    stall_ns: self.stall_ns,
                    hold_ns: self.hold_ns,
                })
            });
        }
        let now_ns = self.clock.now_ns();
        let mut left = Left::default();
        for (at, index) in group.iter().enumerate() {
            let Some(Seat { flow, .. }) = &mut flows[*index as usize] else {
                continue;
            };
            if let Some(ready) = batch.ready[at] {
                let out = (&mut self.sink, &*self.counters);
                flow.dispatch(ready, &batch.datagrams[at], out, now_ns);
            }
            match flow.settle(&mut self.output) {
                Settled::Stays { next_ns } => left.behind |= next_ns <= now_ns,
                Settled::Leaves => left.leaving = true,
            }
        }
        left
    }

    /// Takes those off the wheel that have nothing more to do.
    fn let_go(&mut self, slot: u8) {
        let mut at = 0;
        while let Some(&index) = self.wheel.flows(slot).get(at) {
            let Some(seat) = &self.flows[index as usize] else {
                return;
            };
            if seat.flow.wants_turns() {
                at += 1;
            } else {
                // Another flow moves to this index, so it stays.
                self.take_off_wheel(index);
            }
        }
    }
}

/// Asks for what a group's turns will need, from the outside in.
fn warm<S: PacketSink>(sink: &S, flows: &mut [Option<Seat<S::Handle>>], group: &[u32]) {
    for index in group {
        if let Some(seat) = &flows[*index as usize] {
            prefetch(&*seat.flow);
        }
    }
    for index in group {
        if let Some(seat) = &flows[*index as usize] {
            seat.flow.warm_parts(sink);
        }
    }
    for index in group {
        if let Some(seat) = &flows[*index as usize] {
            seat.flow.warm_queue();
        }
    }
    for index in group {
        if let Some(seat) = &mut flows[*index as usize] {
            seat.flow.warm_frame();
        }
    }
}
