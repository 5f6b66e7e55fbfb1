//! What the engine reports, and the bounded queue in which reports wait to be taken.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cadenza_audio::TrackInfo;
use cadenza_dave::DaveEvent;

use crate::FlowId;
use crate::feed::StreamMetadata;
use crate::receive::ReceiveEvent;

/// One thing that happened to a flow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EngineEvent {
    /// IP discovery was answered: this is how the voice server sees the flow's socket.
    Discovered {
        /// The flow.
        flow: FlowId,
        /// The generation given when the transport was opened.
        generation: u32,
        /// External address.
        address: Ipv4Addr,
        /// External port.
        port: u16,
    },
    /// IP discovery was given up. The transport stays open until it is closed.
    DiscoveryFailed {
        /// The flow.
        flow: FlowId,
        /// The generation given when the transport was opened.
        generation: u32,
        /// `discovery_timeout`, or why the answer could not be read.
        reason: &'static str,
    },
    /// Most packets of the last second or more could not be sent. Reported once per transport.
    TransportFailed {
        /// The flow.
        flow: FlowId,
        /// The generation given when the transport was opened.
        generation: u32,
        /// The system's words.
        message: String,
    },
    /// The first frame was handed to the socket, or was due while the flow had no session.
    TrackStarted {
        /// The flow.
        flow: FlowId,
        /// The track's number.
        track: u32,
        /// What was found in the source.
        info: TrackInfo,
    },
    /// The track is over. Each track that did not fail gets exactly one of these.
    TrackEnded {
        /// The flow.
        flow: FlowId,
        /// The track's number.
        track: u32,
        /// Why.
        reason: EndReason,
    },
    /// The source failed; this takes the place of [`EngineEvent::TrackEnded`].
    TrackFailed {
        /// The flow.
        flow: FlowId,
        /// The track's number.
        track: u32,
        /// Stable snake_case code.
        code: &'static str,
        /// One sentence for people.
        message: String,
    },
    /// The track should sound, but its source has yielded nothing for a while. Once per stall.
    TrackStalled {
        /// The flow.
        flow: FlowId,
        /// The track's number.
        track: u32,
        /// Milliseconds without a frame.
        for_ms: u64,
    },
    /// The track's source says what it plays now. Never before [`EngineEvent::TrackStarted`].
    TrackMetadata {
        /// The flow.
        flow: FlowId,
        /// The track's number.
        track: u32,
        /// What the source says.
        metadata: StreamMetadata,
    },
    /// A pushed track should sound, but whoever pushes is late. Once until frames come again.
    TrackStarved {
        /// The flow.
        flow: FlowId,
        /// The track's number.
        track: u32,
    },
    /// Five silence frames are out and nothing more is to be sent.
    Drained {
        /// The flow.
        flow: FlowId,
    },
    /// Pushed sound is running low: for Opus frames below 400 ms, for samples below 500 ms. Also told
    /// when a stream is opened, and after a push that left it low.
    FramesWanted {
        /// The flow.
        flow: FlowId,
        /// How many frames of 20 ms would fit.
        count: u32,
    },
    /// News of end-to-end encryption.
    Dave {
        /// The flow.
        flow: FlowId,
        /// What happened, or is to be sent.
        event: DaveEvent,
    },
    /// Something about the receiving side.
    Receiving {
        /// The flow.
        flow: FlowId,
        /// What it is.
        event: ReceiveEvent,
    },
}

/// Why a track is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndReason {
    /// Its last frame was sent.
    Finished,
    /// It was stopped, or its flow was destroyed.
    Stopped,
    /// Another track took its place.
    Replaced,
}

/// Called, coalesced, when events wait. Runs on engine threads and on callers' threads.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where events wait until somebody drains them. No pacer ever touches it.
pub(crate) struct EventQueue {
    waiting: Mutex<VecDeque<EngineEvent>>,
    capacity: usize,
    dropped: AtomicU64,
    /// Set while a wake-up is owed or was given and not yet answered by a drain.
    wake_given: AtomicBool,
    wake: Mutex<Option<Wake>>,
}

impl EventQueue {
    pub(crate) fn new(capacity: usize, wake: Wake) -> EventQueue {
        EventQueue {
            waiting: Mutex::new(VecDeque::new()),
            capacity,
            dropped: AtomicU64::new(0),
            wake_given: AtomicBool::new(false),
            wake: Mutex::new(Some(wake)),
        }
    }

    /// Queues one event, or counts it as dropped. The caller calls [`notify`](Self::notify) once it
    /// holds no lock.
    pub(crate) fn push(&self, event: EngineEvent) {
        let mut waiting = self.waiting();
        if waiting.len() < self.capacity {
            waiting.push_back(event);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes the reader if events wait and it has not been woken since its last drain.
    pub(crate) fn notify(&self) {
        let owed = !self.waiting().is_empty();
        if owed && !self.wake_given.swap(true, Ordering::SeqCst) {
            let wake = self.wake().clone();
            if let Some(wake) = wake {
                wake();
            }
        }
    }

    /// Wakes nobody any more and lets go of what the reader gave for it. Events can still be drained.
    pub(crate) fn hush(&self) {
        *self.wake() = None;
    }

    /// Moves up to `max` events to `out`. What is left over causes another wake-up.
    pub(crate) fn drain(&self, out: &mut Vec<EngineEvent>, max: usize) {
        self.wake_given.store(false, Ordering::SeqCst);
        let mut waiting = self.waiting();
        let count = waiting.len().min(max);
        out.extend(waiting.drain(..count));
        drop(waiting);
        self.notify();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn wake(&self) -> MutexGuard<'_, Option<Wake>> {
        self.wake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic elsewhere cannot leave the queue half changed, so poisoning means nothing here.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<EngineEvent>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn many_events_cause_one_wake_up_until_they_are_drained() {
        let (queue, wakes) = queue(8);
        push(&queue, 3);
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        drain(&queue, 8, 3);
        push(&queue, 1);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_partial_drain_wakes_again() {
        let (queue, wakes) = queue(8);
        push(&queue, 3);
        drain(&queue, 2, 2);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
        drain(&queue, 2, 1);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (queue, _) = queue(2);
        push(&queue, 5);
        assert_eq!(queue.dropped(), 3);
        drain(&queue, 8, 2);
    }

    #[test]
    fn a_hushed_queue_lets_go_of_its_reader_and_keeps_events() {
        let (queue, wakes) = queue(8);
        push(&queue, 1);
        queue.hush();
        assert_eq!(Arc::strong_count(&wakes), 1);
        push(&queue, 1);
        drain(&queue, 8, 2);
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
    }

    fn queue(capacity: usize) -> (EventQueue, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let wake: Wake = Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        (EventQueue::new(capacity, wake), wakes)
    }

    fn push(queue: &EventQueue, count: u32) {
        for flow in 0..count {
            queue.push(EngineEvent::Drained { flow });
            queue.notify();
        }
    }

    fn drain(queue: &EventQueue, max: usize, expected: usize) {
        let mut out = Vec::new();
        queue.drain(&mut out, max);
        assert_eq!(out.len(), expected);
    }
}
