//! What a worker does: puts each flow's packets in order, gathers them for callers, writes them to
//! files. Time is an argument.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::ReceiveEvent;
use super::heard_flow::HeardFlow;
use super::stats::ListenShared;
use super::worker::{Order, Packet};
use crate::FlowId;

/// Due times are rounded up to this, so that flows share wake-ups. 5 ms.
const GRAIN_NS: u64 = 5_000_000;

/// All flows of one worker.
pub(super) struct Hearing {
    flows: HashMap<FlowId, HeardFlow>,
    /// When to look at which flow; entries that a flow has no longer in mind run out unheeded.
    due: BinaryHeap<Reverse<(u64, FlowId)>>,
    tell: Box<dyn FnMut(FlowId, ReceiveEvent) + Send>,
}

impl Hearing {
    /// Hears nothing yet; `tell` is given what callers have to know.
    pub(super) fn new(tell: Box<dyn FnMut(FlowId, ReceiveEvent) + Send>) -> Hearing {
        Hearing {
            flows: HashMap::new(),
            due: BinaryHeap::new(),
            tell,
        }
    }

    /// Takes a packet in. One of a flow that nobody listens to any more is dropped.
    pub(super) fn packet(&mut self, packet: Packet, now_ns: u64) {
        let id = packet.flow;
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.packet(packet, now_ns, &mut *self.tell);
            self.schedule(id);
        }
    }

    /// Carries out an order.
    pub(super) fn order(&mut self, order: Order, now_ns: u64) {
        match order {
            Order::Outputs {
                flow,
                shared,
                request,
            } => {
                let tell = &mut *self.tell;
                heard_flow(&mut self.flows, flow, shared).set_request(request, now_ns, tell);
                self.settle(flow);
            }
            Order::Record {
                flow,
                shared,
                id,
                request,
            } => {
                let tell = &mut *self.tell;
                heard_flow(&mut self.flows, flow, shared).record(id, request, now_ns, tell);
                self.settle(flow);
            }
            Order::StopRecording { flow, id } => {
                if let Some(heard) = self.flows.get_mut(&flow) {
                    heard.stop_recording(id, now_ns, &mut *self.tell);
                    self.settle(flow);
                }
            }
            Order::Gone { flow, ssrc } => {
                if let Some(heard) = self.flows.get_mut(&flow) {
                    heard.gone(ssrc, now_ns, &mut *self.tell);
                    self.settle(flow);
                }
            }
            Order::AllGone { flow } => {
                if let Some(heard) = self.flows.get_mut(&flow) {
                    heard.all_gone(now_ns, &mut *self.tell);
                    self.settle(flow);
                }
            }
            Order::End { flow } => {
                if let Some(heard) = self.flows.remove(&flow) {
                    heard.end(now_ns, &mut *self.tell);
                }
            }
            Order::Stop => self.end(now_ns),
        }
    }

    /// Does what is due by now.
    pub(super) fn tick(&mut self, now_ns: u64) {
        while let Some(Reverse((due_ns, id))) = self.due.peek().copied() {
            if due_ns > now_ns {
                break;
            }
            self.due.pop();
            let Some(flow) = self.flows.get_mut(&id) else {
                continue;
            };
            if flow.scheduled_ns != Some(due_ns) {
                continue;
            }
            flow.scheduled_ns = None;
            flow.tick(now_ns, &mut *self.tell);
            self.schedule(id);
        }
    }

    /// When to call [`tick`](Self::tick); `None` while nothing waits.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// Drops a flow whose state can no longer be trusted.
    pub(super) fn abandon(&mut self, flow: FlowId) {
        if let Some(heard) = self.flows.remove(&flow) {
            heard.abandon(&mut *self.tell);
        }
    }

    /// Ends every flow.
    pub(super) fn end(&mut self, now_ns: u64) {
        for (_, flow) in self.flows.drain() {
            flow.end(now_ns, &mut *self.tell);
        }
        self.due.clear();
    }

    /// Forgets a flow that nobody listens to, or notes when to look at it again.
    fn settle(&mut self, id: FlowId) {
        if self.flows.get(&id).is_some_and(HeardFlow::is_idle) {
            self.flows.remove(&id);
        } else {
            self.schedule(id);
        }
    }

    fn schedule(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(&id) else {
            return;
        };
        let Some(due_ns) = flow.next_due_ns() else {
            return;
        };
        let due_ns = due_ns.next_multiple_of(GRAIN_NS);
        if flow.scheduled_ns.is_none_or(|at_ns| at_ns > due_ns) {
            flow.scheduled_ns = Some(due_ns);
            self.due.push(Reverse((due_ns, id)));
        }
    }
}

fn heard_flow(
    flows: &mut HashMap<FlowId, HeardFlow>,
    id: FlowId,
    shared: Arc<ListenShared>,
) -> &mut HeardFlow {
    flows
        .entry(id)
        .or_insert_with(|| HeardFlow::new(id, shared))
}
