//! One turn of a flow: everything that is due by now, which is usually one frame.

use std::sync::atomic::Ordering;

use cadenza_proto::dave::MAX_OVERHEAD;
use cadenza_proto::schedule::Due;
use cadenza_proto::silence::TailAction;
use cadenza_proto::{FRAME_NANOS, MAX_DATAGRAM, SILENCE_FRAME};

use super::Flow;
use super::feed::Next;
use crate::clock::Clock;
use crate::frame_queue::MAX_FRAME_LEN;
use crate::pacer::{Output, PacerCounters};
use crate::transport::PacketSink;

/// What a pacer lends to a flow for its turn.
pub(crate) struct TurnIo<'a, C, S: PacketSink> {
    pub(crate) clock: &'a C,
    pub(crate) sink: &'a mut S,
    pub(crate) buffers: &'a mut Buffers,
    pub(crate) counters: &'a PacerCounters,
    pub(crate) output: &'a mut Output<S::Handle>,
    pub(crate) stall_ns: u64,
    /// How long a track waits for end-to-end encryption before its time passes unheard.
    pub(crate) hold_ns: u64,
}

/// Room for one frame and one datagram; every flow of a pacer uses the same.
pub(crate) struct Buffers {
    frame: [u8; MAX_FRAME_LEN + MAX_OVERHEAD],
    datagram: [u8; MAX_DATAGRAM],
}

impl Default for Buffers {
    fn default() -> Buffers {
        Buffers {
            frame: [0; MAX_FRAME_LEN + MAX_OVERHEAD],
            datagram: [0; MAX_DATAGRAM],
        }
    }
}

impl Buffers {
    /// Room for a frame that is not encrypted yet.
    fn frame_room(&mut self) -> &mut [u8; MAX_FRAME_LEN] {
        self.frame
            .first_chunk_mut()
            .expect("a frame is shorter than the room for an encrypted one")
    }
}

/// When the frame in hand should have gone, and by how much that is over.
#[derive(Clone, Copy)]
struct Deadline {
    due_ns: u64,
    late_ns: u64,
}

/// What goes into a packet.
#[derive(Clone, Copy)]
enum Sound {
    /// So many bytes of the frame buffer.
    Frame(usize),
    Silence,
}

impl<H> Flow<H> {
    /// Sends what is due: nothing, one frame, or up to three after a stall.
    pub(crate) fn take_turn<C, S>(&mut self, io: &mut TurnIo<'_, C, S>)
    where
        C: Clock,
        S: PacketSink<Handle = H>,
    {
        while self.wants_turns() {
            let now_ns = io.clock.now_ns();
            match self.schedule.poll(now_ns) {
                Due::NotYet { .. } => break,
                Due::Skipped { frames } => self.note_skipped(frames, io.counters),
                Due::Send { due_ns, late_ns } => {
                    self.frame_due(Deadline { due_ns, late_ns }, io);
                }
            }
        }
        self.pending.flush(self.id, io.output);
    }

    fn note_skipped(&mut self, frames: u64, counters: &PacerCounters) {
        if self.may_send() && !self.frames.is_held() {
            self.shared.frames_skipped.add(frames);
            counters.skipped.add(frames);
        }
    }

    fn frame_due<C, S>(&mut self, deadline: Deadline, io: &mut TurnIo<'_, C, S>)
    where
        C: Clock,
        S: PacketSink<Handle = H>,
    {
        if !self.may_send() {
            self.hold();
            return;
        }
        if self.frames.is_held() {
            self.held_frame_due(deadline, io);
            return;
        }
        if let Some(len) = self.next_frame(deadline.due_ns, io) {
            self.tail.on_frame();
            self.winding_down = true;
            self.send(Sound::Frame(len), deadline, io);
            return;
        }
        match self.tail.on_empty() {
            TailAction::Silence { last } => {
                self.send(Sound::Silence, deadline, io);
                self.pending.drained |= last;
            }
            // Only now may the flow leave the wheel: its next packet is at least a period away.
            TailAction::Idle => self.winding_down = false,
        }
    }

    /// Encryption is on and not ready. The track waits for a while, and then its time passes unheard:
    /// a bot that is alone in a channel would otherwise wait for ever.
    fn held_frame_due<C, S>(&mut self, deadline: Deadline, io: &mut TurnIo<'_, C, S>)
    where
        C: Clock,
        S: PacketSink<Handle = H>,
    {
        let since_ns = *self.held_since_ns.get_or_insert(deadline.due_ns);
        let passes = deadline.due_ns.saturating_sub(since_ns) >= io.hold_ns;
        if passes && self.next_frame(deadline.due_ns, io).is_some() {
            self.shared.frames_held.add(1);
            self.tail.on_frame();
            self.winding_down = true;
            return;
        }
        if !passes {
            self.hold();
        }
        // Silence frames may go in clear: what sounded so far ends as it should.
        match self.tail.on_empty() {
            TailAction::Silence { last } => {
                self.send(Sound::Silence, deadline, io);
                self.pending.drained |= last && (passes || !self.wants_frames());
            }
            TailAction::Idle => self.winding_down = false,
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
    fn next_frame<C, S>(&mut self, due_ns: u64, io: &mut TurnIo<'_, C, S>) -> Option<usize>
    where
        S: PacketSink<Handle = H>,
    {
        self.follow_seek();
        if self.is_paused() {
            return None;
        }
        let feed = self.feed.as_mut().filter(|feed| !feed.is_over())?;
        let pending = &mut self.pending;
        let next = feed.next(self.epoch, io.buffers.frame_room());
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

    fn send<C, S>(&mut self, sound: Sound, deadline: Deadline, io: &mut TurnIo<'_, C, S>)
    where
        S: PacketSink<Handle = H>,
    {
        if let Some(outlet) = &self.outlet {
            // Whoever reads the stream adds the silence after it.
            if let Sound::Frame(len) = sound {
                let position_ms = self.shared.position_ms.load(Ordering::Relaxed);
                outlet.write(&io.buffers.frame[..len], position_ms as u32);
                self.shared.packets_sent.add(1);
                self.shared.bytes_sent.add(len as u64);
            }
            return;
        }
        let (Some(link), Some(session)) = (&self.link, &mut self.session) else {
            return;
        };
        let payload: &[u8] = match sound {
            Sound::Frame(len) => match self.frames.protect(&mut io.buffers.frame, len) {
                Ok(len) => &io.buffers.frame[..len],
                Err(_) => return self.shared.send_errors.add(1),
            },
            Sound::Silence => &SILENCE_FRAME,
        };
        let datagram = &mut io.buffers.datagram;
        let Ok(len) = session.seal(deadline.due_ns, payload, datagram) else {
            return self.shared.send_errors.add(1);
        };
        match io.sink.send(&link.handle, &datagram[..len]) {
            Ok(()) => {
                self.health.sent();
                self.count_packet(sound, len, deadline.late_ns, io.counters);
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

    fn count_packet(&self, sound: Sound, len: usize, late_ns: u64, counters: &PacerCounters) {
        let shared = &self.shared;
        shared.packets_sent.add(1);
        shared.bytes_sent.add(len as u64);
        shared.packets_late.add(u64::from(late_ns > FRAME_NANOS));
        let silence = matches!(sound, Sound::Silence);
        shared.silence_sent.add(u64::from(silence));
        shared
            .frames_encrypted
            .add(u64::from(!silence && self.frames.is_keyed()));
        counters.sent.add(1);
        counters.lateness.record_ns(late_ns);
    }
}
