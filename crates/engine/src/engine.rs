//! The engine: threads, flows, and everything that can be asked of them.

mod filters;
mod pushing;
mod streams;

use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cadenza_proto::transport::TransportMode;

use crate::addresses::TransportAddresses;
use crate::config::{EngineConfig, PlayRequest};
use crate::control::{Control, Keys, OpenTransport, PlayingTrack, Table};
use crate::dave::DavePool;
use crate::event::{EndReason, EngineEvent, EventQueue, Wake};
use crate::feed::{FeedHost, LoadRequest};
use crate::flow::{Feed, FeedKind, Link, Session, SessionSeed};
use crate::frame_queue::frame_queue;
use crate::pacer::Command;
use crate::receive::{ListenCommand, ReceiveHost};
use crate::stats::{EngineStats, FlowStats};
use crate::threads::Threads;
use crate::transport::{ReceiverPort, Transport, open_socket};
use crate::{EngineError, FlowId};

/// Pacers, sockets and feeds behind one handle.
///
/// Calls return at once; what comes of them arrives as [`EngineEvent`]s. Calls that concern one flow
/// take effect in the order in which they were made. Dropping the engine shuts it down.
pub struct Engine {
    pub(crate) control: Arc<Control>,
    pub(crate) dave: DavePool,
    /// Taken before the control mutex by every call that starts or ends a feed, so that feeds are
    /// told in the same order as pacers.
    feeds: Mutex<Option<FeedHost>>,
    receiver: ReceiverPort,
    receive: ReceiveHost,
    threads: Mutex<Option<Threads>>,
    queue_bytes: usize,
}

impl Engine {
    /// Starts all threads. `wake` is called, coalesced, when events wait; it runs on engine threads
    /// and must neither block nor call [`shutdown`](Engine::shutdown).
    ///
    /// # Errors
    /// [`EngineError::StartFailed`] when the system refuses a thread or a descriptor.
    pub fn start(config: EngineConfig, wake: Wake) -> Result<Engine, EngineError> {
        let config = config.resolved();
        let events = EventQueue::new(config.event_capacity, wake);
        let started = Threads::start(&config, events).map_err(EngineError::StartFailed)?;
        let receive = ReceiveHost::new(Arc::clone(&started.control), started.receiver.clone());
        Ok(Engine {
            control: started.control,
            dave: started.dave,
            feeds: Mutex::new(Some(started.feeds)),
            receiver: started.receiver,
            receive,
            threads: Mutex::new(Some(started.threads)),
            queue_bytes: config.queue_bytes,
        })
    }

    /// Creates the sending side of one call. It lives until it is destroyed; transports come and go.
    ///
    /// # Errors
    /// [`EngineError::TooManyFlows`], [`EngineError::Busy`], [`EngineError::ShutDown`].
    pub fn create_flow(&self) -> Result<FlowId, EngineError> {
        self.control.create_flow(None)
    }

    /// Ends a flow and everything on it, at once and without silence. Unknown ones are ignored.
    pub fn destroy_flow(&self, flow: FlowId) {
        let feeds = self.feeds();
        let removed = self
            .control
            .with(|table, events| table.remove_flow(flow, events));
        let Ok(entry) = removed else { return };
        self.receiver.close(flow);
        self.receive.end(flow);
        if let (Some(feeds), Some(serial)) = (&*feeds, entry.last_serial) {
            feeds.cancel(flow, serial);
        }
    }

    /// Opens a socket towards a voice server and starts IP discovery, ten tries a second apart. A
    /// former socket is closed, and nothing is sent until a session is started.
    ///
    /// # Errors
    /// [`EngineError::SocketFailed`] and those of an unknown flow or a busy engine.
    pub fn open_transport(
        &self,
        flow: FlowId,
        remote: SocketAddrV4,
        ssrc: u32,
        generation: u32,
    ) -> Result<(), EngineError> {
        let handle = open_socket(remote).map_err(EngineError::SocketFailed)?;
        let opened = Arc::clone(&handle);
        self.control.with(|table, _| {
            let (entry, pacer) = table.flow(flow)?;
            if entry.stream.is_some() {
                return Err(EngineError::WrongKind);
            }
            let socket = Arc::clone(&handle);
            let link = Link { handle, generation };
            let place = entry.place;
            pacer.send(Command::Link { place, link })?;
            entry.transport = Some(OpenTransport {
                generation,
                ssrc,
                failed: false,
                addresses: TransportAddresses::of(&socket, remote),
            });
            entry.shared.set_rtt_us(None);
            self.receiver.open(Transport {
                flow,
                generation,
                ssrc,
                socket,
                shared: Arc::clone(&entry.shared),
            });
            Ok(())
        })?;
        self.receive.opened(flow, &opened);
        Ok(())
    }

    /// Installs mode and key on the open transport; frames flow from here on.
    ///
    /// The same mode and key as before go on with their nonces, sequence and timestamp.
    ///
    /// # Errors
    /// [`EngineError::NoTransport`] and those of an unknown flow or a busy engine.
    pub fn start_session(
        &self,
        flow: FlowId,
        mode: TransportMode,
        key: [u8; 32],
    ) -> Result<(), EngineError> {
        let seed = random_seed()?;
        self.control.with(|table, _| {
            let (entry, pacer) = table.flow(flow)?;
            let OpenTransport { ssrc, .. } = entry.transport.ok_or(EngineError::NoTransport)?;
            let place = entry.place;
            let keys = Some(Keys { mode, key });
            self.receiver
                .listen(flow, ListenCommand::Session { mode, key });
            if entry.keys == keys {
                return pacer.send(Command::Revive { place, ssrc });
            }
            let session = Box::new(Session::new(mode, &key, ssrc, seed));
            pacer.send(Command::Session { place, session })?;
            entry.keys = keys;
            Ok(())
        })
    }

    /// Closes the socket; a track that plays holds where it is.
    pub fn close_transport(&self, flow: FlowId) {
        self.control.with(|table, _| {
            let Ok((entry, pacer)) = table.flow(flow) else {
                return;
            };
            if entry.transport.take().is_some() {
                pacer.send_always(Command::Unlink { place: entry.place });
                entry.shared.set_rtt_us(None);
                self.receiver.close(flow);
            }
        });
    }

    /// Plays a track, replacing what plays. Whether the source can be read is told by an event.
    ///
    /// # Errors
    /// Those of an unknown flow or a busy engine; then what played goes on.
    pub fn play(&self, flow: FlowId, request: PlayRequest) -> Result<(), EngineError> {
        let feeds = self.feeds();
        let feeds = feeds.as_ref().ok_or(EngineError::ShutDown)?;
        let (producer, queue) = frame_queue(self.queue_bytes);
        let depth = queue.depth();
        let (serial, epoch, filters) = self.control.with(|table, events| {
            let serial = table.next_serial();
            let kind = FeedKind::Track(serial);
            let feed = Box::new(Feed::new(queue, kind, request.start_ms));
            install_feed(table, flow, feed)?;
            let (entry, _) = table.flow(flow)?;
            entry.end_track(flow, EndReason::Replaced, events);
            entry.track = Some(PlayingTrack::new(request.track, serial));
            entry.last_serial = Some(serial);
            entry.pushing = None;
            entry.push = None;
            entry.depth = depth;
            Ok((serial, entry.shared.epoch(), entry.filters))
        })?;
        let load = LoadRequest {
            track: serial,
            source: request.source,
            start_ms: request.start_ms,
            end_ms: request.end_ms,
            encoder: request.encoder,
            filters,
        };
        feeds.load(flow, load, producer, epoch);
        Ok(())
    }

    /// Stops what plays, pushed frames too; five silence frames follow.
    pub fn stop(&self, flow: FlowId) {
        let feeds = self.feeds();
        let serial = self.control.with(|table, events| {
            let (entry, _) = table.flow(flow).ok()?;
            entry.end_track(flow, EndReason::Stopped, events);
            let serial = entry.last_serial.take();
            table.clear_feed(flow);
            serial
        });
        if let (Some(feeds), Some(serial)) = (&*feeds, serial) {
            feeds.cancel(flow, serial);
        }
    }

    /// Pauses or resumes whatever plays now or later; five silence frames follow a pause.
    pub fn set_paused(&self, flow: FlowId, paused: bool) {
        self.control.with(|table, _| {
            if let Ok((entry, _)) = table.flow(flow) {
                entry.shared.request_pause(paused);
                table.poke(flow);
            }
        });
    }

    /// Moves the playing track to a position in source time; frames queued before are discarded.
    /// Without effect on tracks whose sound is pushed.
    pub fn seek(&self, flow: FlowId, position_ms: u64) {
        let feeds = self.feeds();
        let target = self.control.with(|table, _| {
            let (entry, _) = table.flow(flow).ok()?;
            let playing = entry.track.as_ref()?;
            if playing.pushed {
                return None;
            }
            let serial = playing.serial;
            let epoch = entry.shared.request_seek(position_ms);
            table.poke(flow);
            Some((serial, epoch))
        });
        if let (Some(feeds), Some((serial, epoch))) = (&*feeds, target) {
            feeds.seek(flow, serial, position_ms, epoch);
        }
    }

    /// Counters and state of a flow; `None` when there is no such flow.
    pub fn flow_stats(&self, flow: FlowId) -> Option<FlowStats> {
        self.control.flow_stats(flow)
    }

    /// Counters of the whole engine.
    pub fn stats(&self) -> EngineStats {
        let mut stats = self.control.stats();
        if let Some(feeds) = &*self.feeds() {
            stats.encoding = feeds.encoding_stats();
        }
        stats
    }

    /// Moves up to `flows` flows from one pacer to another, playing ones first, as the engine does by
    /// itself when a pacer is busy. They keep their grid; no packet is lost.
    pub fn move_flows(&self, from: usize, to: usize, flows: usize) {
        self.control.move_flows(from, to, flows);
    }

    /// Moves up to `max` waiting events to `out`, oldest first.
    pub fn drain_events(&self, out: &mut Vec<EngineEvent>, max: usize) {
        self.control.events.drain(out, max);
    }

    /// Ends everything: joins every thread and closes every socket. Later calls fail or do nothing.
    /// Idempotent; a second caller waits for the first. The `wake` given at the start is dropped.
    pub fn shutdown(&self) {
        self.control.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let feeds = self.feeds().take();
        if let Some(feeds) = feeds {
            feeds.shutdown();
        }
        self.receive.shutdown();
        if let Some(threads) = threads.take() {
            threads.stop();
        }
        self.control.events.hush();
    }

    pub(crate) fn receive(&self) -> &ReceiveHost {
        &self.receive
    }

    fn feeds(&self) -> MutexGuard<'_, Option<FeedHost>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn install_feed(table: &mut Table, flow: FlowId, feed: Box<Feed>) -> Result<(), EngineError> {
    let (entry, pacer) = table.flow(flow)?;
    let place = entry.place;
    pacer.send(Command::Feed { place, feed })?;
    entry.has_feed = true;
    table.unsubscribe(flow);
    Ok(())
}

fn random_seed() -> Result<SessionSeed, EngineError> {
    let mut bytes = [0_u8; 30];
    getrandom::fill(&mut bytes)
        .map_err(|error| EngineError::StartFailed(std::io::Error::other(error.to_string())))?;
    let (nonce, rest) = bytes.split_at(24);
    let mut seed = SessionSeed {
        sequence: u16::from_be_bytes([rest[0], rest[1]]),
        timestamp: u32::from_be_bytes([rest[2], rest[3], rest[4], rest[5]]),
        ..SessionSeed::default()
    };
    seed.nonce.copy_from_slice(nonce);
    Ok(seed)
}
