//! Streams: sound that is made once and played by many calls.

use std::sync::Arc;

use super::pushing::cancel;
use super::{Engine, install_feed};
use crate::control::Stream;
use crate::event::EndReason;
use crate::flow::{BroadcastReader, Feed};
use crate::frame_queue::QueueDepth;
use crate::{EngineError, FlowId};

impl Engine {
    /// Creates a stream: something that plays as a call does, with every operation but those of a
    /// transport, into all calls that [`subscribe`](Self::subscribe) to it. It decodes and encodes once.
    ///
    /// It plays in real time whether anybody listens or not. Its events carry the id returned here; it
    /// lives until [`destroy_flow`](Self::destroy_flow), when its subscribers fall silent.
    ///
    /// # Errors
    /// [`EngineError::TooManyFlows`], [`EngineError::Busy`], [`EngineError::ShutDown`].
    pub fn create_stream(&self) -> Result<FlowId, EngineError> {
        self.control.create_flow(Some(Stream::default()))
    }

    /// Lets a call play what a stream plays, from the live position on, about 40 ms behind it. It takes
    /// the place of what the call plays, and lasts until the call plays something else or is stopped.
    /// Pausing the call pauses nobody else; afterwards it goes on at the live position.
    ///
    /// # Errors
    /// [`EngineError::WrongKind`] when `stream` is a call or `flow` is a stream, and those of an unknown
    /// flow or a busy engine; then what played goes on.
    pub fn subscribe(&self, flow: FlowId, stream: FlowId) -> Result<(), EngineError> {
        let feeds = self.feeds();
        let feeds = feeds.as_ref().ok_or(EngineError::ShutDown)?;
        self.control.with(|table, events| {
            let source = table.flow(stream)?.0.stream.as_ref();
            let ring = Arc::clone(&source.ok_or(EngineError::WrongKind)?.ring);
            if table.flow(flow)?.0.stream.is_some() {
                return Err(EngineError::WrongKind);
            }
            let feed = Feed::of_stream(BroadcastReader::new(ring));
            install_feed(table, flow, Box::new(feed))?;
            let (entry, _) = table.flow(flow)?;
            entry.end_track(flow, EndReason::Replaced, events);
            entry.pushing = None;
            entry.push = None;
            entry.depth = QueueDepth::default();
            entry.subscribed_to = Some(stream);
            cancel(feeds, flow, entry.last_serial.take());
            if let Some(source) = &mut table.flow(stream)?.0.stream {
                source.subscribers.insert(flow);
            }
            Ok(())
        })
    }

    /// Ends a subscription; five silence frames follow. Without effect on calls that have none.
    pub fn unsubscribe(&self, flow: FlowId) {
        self.control.with(|table, _| {
            let subscribed = table
                .flow(flow)
                .is_ok_and(|(entry, _)| entry.subscribed_to.is_some());
            if subscribed {
                table.clear_feed(flow);
            }
        });
    }
}
