//! Who is subscribed to which stream.

use super::{FlowEntry, Table};
use crate::FlowId;
use crate::pacer::Command;

impl Table {
    /// Takes a call out of the list of the stream it plays, if it plays one.
    pub(crate) fn unsubscribe(&mut self, flow: FlowId) {
        let entry = self.flows.get_mut(&flow);
        let stream = entry.and_then(|entry| entry.subscribed_to.take());
        self.strike(flow, stream);
    }

    pub(super) fn strike(&mut self, flow: FlowId, stream: Option<FlowId>) {
        let stream = stream.and_then(|stream| self.flows.get_mut(&stream));
        if let Some(stream) = stream.and_then(|entry| entry.stream.as_mut()) {
            stream.subscribers.remove(&flow);
        }
    }

    /// A stream is gone: those who played it fall silent.
    pub(super) fn dismiss_subscribers(&mut self, entry: &mut FlowEntry) {
        let Some(stream) = entry.stream.take() else {
            return;
        };
        for subscriber in stream.subscribers {
            if let Some(entry) = self.flows.get_mut(&subscriber) {
                entry.subscribed_to = None;
            }
            self.clear_feed(subscriber);
        }
    }

    /// A stream begins to yield frames: those who play it have to look.
    pub(super) fn wake_subscribers(&mut self, stream: FlowId) {
        let entry = self.flows.get(&stream);
        let Some(stream) = entry.and_then(|entry| entry.stream.as_ref()) else {
            return;
        };
        let subscribers: Vec<FlowId> = stream.subscribers.iter().copied().collect();
        for subscriber in subscribers {
            self.poke(subscriber);
        }
    }

    /// Lets the pacer look at the flow's shared state, unless it is about to anyway.
    pub(crate) fn poke(&mut self, flow: FlowId) {
        if let Ok((entry, pacer)) = self.flow(flow)
            && entry.shared.take_poke()
        {
            pacer.send_always(Command::Poke { place: entry.place });
        }
    }
}
