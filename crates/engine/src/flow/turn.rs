//! One turn of a flow: a frame that is due is made ready, its packet leaves, and what came of it is told.
//!
//! The three steps are apart so that a pacer can do each for a few flows in a row: code and tables of the
//! cipher stay in the cache, and so does the kernel's way out.

use std::sync::atomic::Ordering;

use cadenza_proto::dave::MAX_OVERHEAD;
use cadenza_proto::schedule::Due;
use cadenza_proto::silence::TailAction;
use cadenza_proto::{FRAME_NANOS, MAX_DATAGRAM, SILENCE_FRAME};

use super::Flow;
use super::feed::Next;
use crate::frame_queue::MAX_FRAME_LEN;
use crate::pacer::{Output, PacerCounters};
use crate::transport::PacketSink;

/// What a pacer lends to a flow that makes a packet.
pub(crate) struct TurnIo<'a> {
    /// When the flow is asked, nanoseconds.
    pub(crate) now_ns: u64,
    /// Room for a frame before it is sealed.
    pub(crate) frame: &'a mut FrameRoom,
    /// Where the packet goes.
    pub(crate) datagram: &'a mut Datagram,
    pub(crate) counters: &'a PacerCounters,
    pub(crate) stall_ns: u64,
    /// How long a track waits for end-to-end encryption before its time passes unheard.
    pub(crate) hold_ns: u64,
}

/// Room for one packet.
pub(crate) type Datagram = [u8; MAX_DATAGRAM];

/// Room for one frame, encrypted or not; every flow of a pacer uses the same.
pub(crate) struct FrameRoom([u8; MAX_FRAME_LEN + MAX_OVERHEAD]);

impl Default for FrameRoom {
    fn default() -> FrameRoom {
        FrameRoom([0; MAX_FRAME_LEN + MAX_OVERHEAD])
    }
}

impl FrameRoom {
    /// Room for a frame that is not encrypted yet.
    fn clear(&mut self) -> &mut [u8; MAX_FRAME_LEN] {
        self.0
            .first_chunk_mut()
            .expect("a frame is shorter than the room for an encrypted one")
    }
}

/// A packet that waits in its datagram to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    len: usize,
    due_ns: u64,
    silence: bool,
}

/// How a flow goes on after its turn.
pub(crate) enum Settled {
    /// It is due again at this time.
    Stays { next_ns: u64 },
    /// It has nothing more to do.
    Leaves,
}

/// What goes into a packet.
#[derive(Clone, Copy)]
enum Sound {
    /// So many bytes of the frame buffer.
    Frame(usize),
    Silence,
}

impl<H> Flow<H> {
    /// Makes the packet that is due, if one is. After a stall there may be more: ask again once it is sent.
    pub(crate) fn prepare(&mut self, io: &mut TurnIo<'_>) -> Option<Ready> {
        while self.wants_turns() {
            let ready = match self.schedule.poll(io.now_ns) {
                Due::NotYet { .. } => return None,
                Due::Skipped { frames } => {
                    self.note_skipped(frames, io.counters);
                    None
                }
                Due::Send { due_ns, .. } => self.frame_due(due_ns, io),
            };
            if ready.is_some() {
                return ready;
            }
        }
        None
    }

    /// Hands a prepared packet to the socket at `now_ns`, and counts it.
    pub(crate) fn dispatch<S>(
        &mut self,
        ready: Ready,
        datagram: &Datagram,
        (sink, counters): (&mut S, &PacerCounters),
        now_ns: u64,
    ) where
        S: PacketSink<Handle = H>,
    {
        let Some(link) = &self.link else { return };
        match sink.send(&link.handle, &datagram[..ready.len]) {
            Ok(()) => {
                self.health.sent();
                self.count_packet(ready, now_ns.saturating_sub(ready.due_ns), counters);
            }
            Err(error) => {
                self.shared.send_errors.add(1);
                let failing = self.health.refused(&error);
                self.pending.failing = failing
                    .map(|os_error| (link.generation, os_error))
                    .or(self.pending.failing);
            }
        }
    }

    /// Tells what happened in this turn.
    pub(crate) fn settle(&mut self, output: &mut Output<H>) -> Settled {
        self.pending.flush(self.id, output);
        if self.wants_turns() {
            Settled::Stays {
                next_ns: self.schedule.next_due(),
            }
        } else {
            Settled::Leaves
        }
    }

    fn note_skipped(&mut self, frames: u64, counters: &PacerCounters) {
        if self.may_send() && !self.frames.is_held() {
            self.shared.frames_skipped.add(frames);
            counters.skipped.add(frames);
        }
    }

    fn frame_due(&mut self, due_ns: u64, io: &mut TurnIo<'_>) -> Option<Ready> {
        if !self.may_send() {
            self.hold();
            return None;
        }
        if self.frames.is_held() {
            return self.held_frame_due(due_ns, io);
        }
        if let Some(len) = self.next_frame(due_ns, io) {
            self.tail.on_frame();
            self.winding_down = true;
            return self.seal(Sound::Frame(len), due_ns, io);
        }
        match self.tail.on_empty() {
            TailAction::Silence { last } => {
                self.pending.drained |= last;
                self.seal(Sound::Silence, due_ns, io)
            }
            // Only now may the flow leave the wheel: its next packet is at least a period away.
            TailAction::Idle => {
                self.winding_down = false;
                None
            }
        }
    }

    /// Encryption is on and not ready. The track waits for a while, and then its time passes unheard:
    /// a bot that is alone in a channel would otherwise wait for ever.
    fn held_frame_due(&mut self, due_ns: u64, io: &mut TurnIo<'_>) -> Option<Ready> {
        let since_ns = *self.held_since_ns.get_or_insert(due_ns);
        let passes = due_ns.saturating_sub(since_ns) >= io.hold_ns;
        if passes && self.next_frame(due_ns, io).is_some() {
            self.shared.frames_held.add(1);
            self.tail.on_frame();
            self.winding_down = true;
            return None;
        }
        if !passes {
            self.hold();
        }
        // Silence frames may go in clear: what sounded so far ends as it should.
        match self.tail.on_empty() {
            TailAction::Silence { last } => {
                self.pending.drained |= last && (passes || !self.wants_frames());
                self.seal(Sound::Silence, due_ns, io)
            }
            TailAction::Idle => {
                self.winding_down = false;
                None
            }
        }
    }

    /// With no session the track waits; that it could begin is told all the same.
    fn hold(&mut self) {
        let paused = self.is_paused();
        self.follow_seek();
        if let Some(feed) = &mut self.feed {
            feed.forget_dryness();
            if !paused && !feed.is_empty() {
                self.pending.started = feed.start().or(self.pending.started);
            }
        }
    }

    /// Takes the next frame into the buffer, and notes what its arrival or absence means.
    fn next_frame(&mut self, due_ns: u64, io: &mut TurnIo<'_>) -> Option<usize> {
        self.follow_seek();
        if self.is_paused() {
            return None;
        }
        let feed = self.feed.as_mut().filter(|feed| !feed.is_over())?;
        let pending = &mut self.pending;
        let next = feed.next(self.epoch, io.frame.clear());
        self.shared.frames_skipped.add(feed.take_missed());
        match next {
            Next::Frame { len, meta } => {
                let position_ms = u64::from(meta.position_ms);
                self.shared
                    .position_ms
                    .store(position_ms, Ordering::Relaxed);
                pending.started = feed.start().or(pending.started);
                if meta.last {
                    pending.finished = feed.end();
                }
                let pushes = self.shared.pushes.load(Ordering::Relaxed);
                pending.wanted = feed.wanted(pushes).or(pending.wanted);
                Some(len)
            }
            Next::End => {
                pending.started = feed.start().or(pending.started);
                pending.finished = feed.end();
                None
            }
            Next::Abandoned => {
                pending.abandoned = feed.end();
                None
            }
            Next::Dry => {
                pending.starved = feed.starving().or(pending.starved);
                pending.stalled = feed.stalled(due_ns, io.stall_ns).or(pending.stalled);
                None
            }
        }
    }

    /// Writes the packet, or hands the frame to those who follow a stream.
    fn seal(&mut self, sound: Sound, due_ns: u64, io: &mut TurnIo<'_>) -> Option<Ready> {
        if let Some(outlet) = &self.outlet {
            // Whoever reads the stream adds the silence after it.
            if let Sound::Frame(len) = sound {
                let position_ms = self.shared.position_ms.load(Ordering::Relaxed);
                outlet.write(&io.frame.0[..len], position_ms as u32);
                self.shared.packets_sent.add(1);
                self.shared.bytes_sent.add(len as u64);
            }
            return None;
        }
        let (Some(_), Some(session)) = (&self.link, &mut self.session) else {
            return None;
        };
        let payload: &[u8] = match sound {
            Sound::Frame(len) => match self.frames.protect(&mut io.frame.0, len) {
                Ok(len) => &io.frame.0[..len],
                Err(_) => {
                    self.shared.send_errors.add(1);
                    return None;
                }
            },
            Sound::Silence => &SILENCE_FRAME,
        };
        let Ok(len) = session.seal(due_ns, payload, io.datagram) else {
            self.shared.send_errors.add(1);
            return None;
        };
        Some(Ready {
            len,
            due_ns,
            silence: matches!(sound, Sound::Silence),
        })
    }

    fn count_packet(&self, ready: Ready, late_ns: u64, counters: &PacerCounters) {
        let shared = &self.shared;
        shared.packets_sent.add(1);
        shared.bytes_sent.add(ready.len as u64);
        shared.packets_late.add(u64::from(late_ns > FRAME_NANOS));
        shared.silence_sent.add(u64::from(ready.silence));
        shared
            .frames_encrypted
            .add(u64::from(!ready.silence && self.frames.is_keyed()));
        counters.sent.add(1);
        counters.lateness.record_ns(late_ns);
    }
}
