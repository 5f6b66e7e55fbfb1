//! What callers asked of each flow's receiving side, told to the receive thread and the workers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::listener::{ListenCommand, Way, Ways};
use super::stats::ListenShared;
use super::worker::{Order, Worker};
use super::{ReceiveEvent, ReceiveRequest, ReceiveStats, RecordRequest, Users};
use crate::control::Control;
use crate::system::set_media_wanted;
use crate::transport::{ReceiverPort, UdpHandle};
use crate::{EngineError, EngineEvent, FlowId};

/// Recordings that one flow may have at a time.
const MAX_RECORDINGS: usize = 32;

/// The receiving side of an engine. Its threads start when somebody first wants to hear.
pub(crate) struct ReceiveHost {
    inner: Arc<Inner>,
}

struct Inner {
    control: Arc<Control>,
    net: ReceiverPort,
    /// Taken before the control mutex.
    state: Mutex<State>,
}

struct State {
    flows: HashMap<FlowId, Hosted>,
    /// The open sockets, which the system keeps media from where nobody listens.
    sockets: HashMap<FlowId, Weak<UdpSocket>>,
    hear: Option<Worker>,
    record: Option<Worker>,
    next_recording: u32,
    open: bool,
}

/// One flow as callers asked for it.
#[derive(Default)]
struct Hosted {
    shared: Arc<ListenShared>,
    /// Whom to hear, and whether anything is handed over; without that, it is only told who speaks.
    hearing: Option<(Users, bool)>,
    recordings: HashMap<u32, Users>,
}

impl ReceiveHost {
    pub(crate) fn new(control: Arc<Control>, net: ReceiverPort) -> ReceiveHost {
        let state = State {
            flows: HashMap::new(),
            sockets: HashMap::new(),
            hear: None,
            record: None,
            next_recording: 1,
            open: true,
        };
        let state = Mutex::new(state);
        let inner = Arc::new(Inner {
            control,
            net,
            state,
        });
        ReceiveHost { inner }
    }

    /// A flow has a new socket.
    pub(crate) fn opened(&self, flow: FlowId, socket: &UdpHandle) {
        if let Ok(mut state) = self.inner.open_state(flow) {
            let hosted = state.flows.get(&flow);
            set_media_wanted(socket, hosted.is_some_and(Hosted::listens));
            state.sockets.insert(flow, Arc::downgrade(socket));
        }
    }

    /// Hands over what is asked from now on; `None` is nothing.
    pub(crate) fn set_receiving(
        &self,
        flow: FlowId,
        request: Option<ReceiveRequest>,
    ) -> Result<(), EngineError> {
        let mut guard = self.inner.open_state(flow)?;
        let state = &mut *guard;
        let hosted = match (state.flows.entry(flow), &request) {
            (Entry::Vacant(_), None) => return Ok(()),
            (entry, _) => entry.or_default(),
        };
        let had_outputs = hosted.hearing.as_ref().is_some_and(|(_, outputs)| *outputs);
        hosted.hearing = request.as_ref().map(|request| {
            let mut users = Users::none();
            request.outputs.iter().for_each(|one| users.add(&one.users));
            (users, !request.outputs.is_empty())
        });
        let outputs = request.filter(|request| !request.outputs.is_empty());
        if outputs.is_some() || had_outputs {
            let worker = self.inner.worker(&mut state.hear, "cadenza-hear")?;
            let order = Order::Outputs {
                flow,
                shared: Arc::clone(&hosted.shared),
                request: outputs,
            };
            if !worker.port().order(order) {
                return Err(EngineError::Busy);
            }
        }
        self.inner.tell_ways(state, flow);
        Ok(())
    }

    /// Begins a recording and returns its number.
    pub(crate) fn record(&self, flow: FlowId, request: RecordRequest) -> Result<u32, EngineError> {
        request.check()?;
        let mut guard = self.inner.open_state(flow)?;
        let state = &mut *guard;
        let id = state.next_recording;
        let hosted = state.flows.entry(flow).or_default();
        if hosted.recordings.len() >= MAX_RECORDINGS {
            return Err(EngineError::TooManyRecordings);
        }
        let users = request.users();
        let order = Order::Record {
            flow,
            shared: Arc::clone(&hosted.shared),
            id,
            request,
        };
        let worker = self.inner.worker(&mut state.record, "cadenza-record")?;
        if !worker.port().order(order) {
            return Err(EngineError::Busy);
        }
        hosted.recordings.insert(id, users);
        state.next_recording = id.wrapping_add(1).max(1);
        self.inner.tell_ways(state, flow);
        Ok(id)
    }

    /// Ends a recording; an event follows when its files are whole.
    pub(crate) fn stop_recording(&self, flow: FlowId, id: u32) {
        let mut guard = self.inner.state();
        let state = &mut *guard;
        let Some(hosted) = state.flows.get_mut(&flow) else {
            return;
        };
        if hosted.recordings.remove(&id).is_none() {
            return;
        }
        if let Some(worker) = &state.record {
            worker.port().order(Order::StopRecording { flow, id });
        }
        self.inner.tell_ways(state, flow);
    }

    /// The oldest batch that waits.
    pub(crate) fn take_audio(&self, flow: FlowId) -> Option<Vec<u8>> {
        let shared = Arc::clone(&self.inner.state().flows.get(&flow)?.shared);
        shared.audio.pop()
    }

    /// Counters of a flow; all zero when nothing was ever asked for.
    pub(crate) fn stats(&self, flow: FlowId) -> ReceiveStats {
        let shared = match self.inner.state().flows.get(&flow) {
            Some(hosted) => Arc::clone(&hosted.shared),
            None => return ReceiveStats::default(),
        };
        shared.stats()
    }

    /// Tells the receive thread something about a flow, if it exists.
    pub(crate) fn listen(&self, flow: FlowId, command: ListenCommand) {
        if let Ok(_state) = self.inner.open_state(flow) {
            self.inner.net.listen(flow, command);
        }
    }

    /// A flow is gone: its recordings end.
    pub(crate) fn end(&self, flow: FlowId) {
        let mut state = self.inner.state();
        let hosted = state.flows.remove(&flow);
        state.sockets.remove(&flow);
        self.inner.net.listen(flow, ListenCommand::End);
        if hosted.is_some() {
            for worker in state.hear.iter().chain(&state.record) {
                worker.port().order(Order::End { flow });
            }
        }
    }

    /// Ends every recording and both threads. Idempotent.
    pub(crate) fn shutdown(&self) {
        let mut state = self.inner.state();
        state.open = false;
        state.flows.clear();
        let workers = [state.hear.take(), state.record.take()];
        // The workers take this mutex when recordings end.
        drop(state);
        workers.into_iter().flatten().for_each(Worker::stop);
    }
}

impl Hosted {
    fn listens(&self) -> bool {
        self.hearing.is_some() || !self.recordings.is_empty()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if the flow exists. A flow is destroyed in control first and here afterwards, so that
    /// nothing is left behind.
    fn open_state(&self, flow: FlowId) -> Result<MutexGuard<'_, State>, EngineError> {
        let state = self.state();
        if !state.open {
            return Err(EngineError::ShutDown);
        }
        self.control.with(|table, _| table.flow(flow).map(|_| ()))?;
        Ok(state)
    }

    fn worker<'a>(
        self: &Arc<Inner>,
        slot: &'a mut Option<Worker>,
        name: &str,
    ) -> Result<&'a Worker, EngineError> {
        if slot.is_none() {
            *slot = Some(self.spawn(name).map_err(EngineError::StartFailed)?);
        }
        slot.as_ref().ok_or(EngineError::ShutDown)
    }

    fn spawn(self: &Arc<Inner>, name: &str) -> io::Result<Worker> {
        let inner = Arc::downgrade(self);
        Worker::spawn(name, move |flow, event| {
            if let Some(inner) = Weak::upgrade(&inner) {
                inner.take_event(flow, event);
            }
        })
    }

    /// A recording that ended by itself makes nobody listen any more.
    fn take_event(&self, flow: FlowId, event: ReceiveEvent) {
        if let ReceiveEvent::RecordingEnded { recording, .. }
        | ReceiveEvent::RecordingFailed { recording, .. } = &event
        {
            let mut state = self.state();
            let hosted = state.flows.get_mut(&flow);
            if hosted.is_some_and(|hosted| hosted.recordings.remove(recording).is_some()) {
                self.tell_ways(&state, flow);
            }
        }
        let event = EngineEvent::Receiving { flow, event };
        self.control.with(|_, events| events.push(event));
    }

    /// Tells the receive thread who gets a flow's packets.
    fn tell_ways(&self, state: &State, flow: FlowId) {
        let Some(hosted) = state.flows.get(&flow) else {
            return;
        };
        let mut ways = Vec::new();
        if let (Some(worker), Some((users, true))) = (&state.hear, &hosted.hearing) {
            let (users, port) = (users.clone(), worker.port().clone());
            ways.push(Way { users, port });
        }
        if let (Some(worker), false) = (&state.record, hosted.recordings.is_empty()) {
            let mut users = Users::none();
            hosted.recordings.values().for_each(|one| users.add(one));
            let port = worker.port().clone();
            ways.push(Way { users, port });
        }
        let shared = Arc::clone(&hosted.shared);
        let ways = hosted.listens().then_some(Ways { shared, ways });
        self.net.listen(flow, ListenCommand::Ways(ways));
        if let Some(socket) = state.sockets.get(&flow).and_then(Weak::upgrade) {
            set_media_wanted(&socket, hosted.listens());
        }
    }
}
