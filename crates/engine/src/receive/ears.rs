//! The listeners of all flows, as the receive thread owns them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::listener::{ListenCommand, Listener};
use super::speaking::SpeakingChange;
use crate::FlowId;

/// All listeners, and when to look after which.
#[derive(Default)]
pub(crate) struct Ears {
    listeners: HashMap<FlowId, Listener>,
    due: BinaryHeap<Reverse<(u64, FlowId)>>,
}

impl Ears {
    /// Carries out a command; who stopped speaking by it is told.
    pub(crate) fn command(
        &mut self,
        flow: FlowId,
        command: ListenCommand,
        tell: impl FnMut(SpeakingChange),
    ) {
        if matches!(command, ListenCommand::End) {
            if let Some(mut listener) = self.listeners.remove(&flow) {
                listener.command(command);
            }
            return;
        }
        let listener = self.listener(flow);
        listener.command(command);
        self.after(flow, tell);
    }

    /// A new voice session of a flow begins.
    pub(crate) fn new_transport(&mut self, flow: FlowId, own_ssrc: u32) {
        self.listener(flow).new_transport(own_ssrc);
    }

    /// Takes in a datagram that is neither discovery nor a pong. Its bytes are used up.
    pub(crate) fn hear(
        &mut self,
        flow: FlowId,
        now_ns: u64,
        datagram: &mut [u8],
        tell: impl FnMut(SpeakingChange),
    ) {
        if let Some(listener) = self.listeners.get_mut(&flow) {
            listener.hear(now_ns, datagram);
            self.after(flow, tell);
        }
    }

    /// Looks after whoever is due.
    pub(crate) fn tend(&mut self, now_ns: u64, mut tell: impl FnMut(FlowId, SpeakingChange)) {
        while let Some(Reverse((due_ns, flow))) = self.due.peek().copied() {
            if due_ns > now_ns {
                break;
            }
            self.due.pop();
            if let Some(listener) = self.listeners.get_mut(&flow) {
                listener.tend(now_ns);
                self.after(flow, |change| tell(flow, change));
            }
        }
    }

    /// When to call [`tend`](Self::tend), if at all.
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    fn listener(&mut self, flow: FlowId) -> &mut Listener {
        let listeners = &mut self.listeners;
        listeners.entry(flow).or_insert_with(|| Listener::new(flow))
    }

    fn after(&mut self, flow: FlowId, tell: impl FnMut(SpeakingChange)) {
        let Some(listener) = self.listeners.get_mut(&flow) else {
            return;
        };
        if let Some(due_ns) = listener.take_due() {
            self.due.push(Reverse((due_ns, flow)));
        }
        listener.take_changes().into_iter().for_each(tell);
    }
}
