//! The sending side of one call, owned by its pacer: what to send next, when, and through what.

mod broadcast;
mod feed;
mod pending;
mod session;
mod shared;
mod turn;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cadenza_dave::FrameSession;
use cadenza_proto::FRAME_NANOS;
use cadenza_proto::schedule::SendSchedule;
use cadenza_proto::silence::SilenceTail;

pub use broadcast::{Broadcast, BroadcastReader};
pub(crate) use feed::LOW_WATER;
pub use feed::{Feed, FeedKind};
pub use session::{Session, SessionSeed};
pub(crate) use shared::Counter;
pub use shared::FlowShared;
pub(crate) use turn::{Datagram, FrameRoom, Ready, Settled, TurnIo};

use crate::FlowId;
use crate::prefetch::prefetch;
use crate::transport::{LinkHealth, PacketSink};
use pending::Pending;

/// A socket, as the packet sink knows it.
#[derive(Clone, Debug)]
pub struct Link<H> {
    /// What the sink sends through.
    pub handle: H,
    /// Comes back in events about this transport.
    pub generation: u32,
}

/// State of one call on its pacer.
pub struct Flow<H> {
    id: FlowId,
    shared: Arc<FlowShared>,
    link: Option<Link<H>>,
    session: Option<Box<Session>>,
    /// Where a stream's frames go, which has neither socket nor session.
    outlet: Option<Arc<Broadcast>>,
    /// Whether the session belongs to the present link.
    live: bool,
    /// What happens to frames before the session seals them.
    frames: FrameSession,
    /// Since when frames are held back for want of a key.
    held_since_ns: Option<u64>,
    feed: Option<Box<Feed>>,
    /// The epoch whose seek was carried out last.
    epoch: u16,
    schedule: SendSchedule,
    tail: SilenceTail,
    /// Whether sound went out and the silence after it is not complete.
    winding_down: bool,
    health: LinkHealth,
    pending: Pending,
    /// The slot of the wheel that the flow comes from.
    carried: Option<u8>,
}

impl<H> Flow<H> {
    /// A flow with no socket, no keys and nothing to play.
    pub fn new(id: FlowId, shared: Arc<FlowShared>) -> Flow<H> {
        Flow {
            id,
            epoch: shared.epoch(),
            shared,
            link: None,
            session: None,
            outlet: None,
            live: false,
            frames: FrameSession::Clear,
            held_since_ns: None,
            feed: None,
            schedule: SendSchedule::new(0),
            tail: SilenceTail::default(),
            winding_down: false,
            health: LinkHealth::default(),
            pending: Pending::default(),
            carried: None,
        }
    }

    /// A stream: what it plays goes to everybody who reads `outlet`.
    pub fn stream(id: FlowId, shared: Arc<FlowShared>, outlet: Arc<Broadcast>) -> Flow<H> {
        Flow {
            outlet: Some(outlet),
            ..Flow::new(id, shared)
        }
    }

    pub(crate) fn id(&self) -> FlowId {
        self.id
    }

    /// Remembers the slot on the way to another pacer.
    pub(crate) fn carry_slot(&mut self, slot: Option<u8>) {
        self.carried = slot;
    }

    pub(crate) fn take_carried_slot(&mut self) -> Option<u8> {
        self.carried.take()
    }

    /// Installs a socket; sealing stops until a session follows. Returns the former socket.
    pub(crate) fn set_link(&mut self, link: Option<Link<H>>) -> Option<Link<H>> {
        self.live = false;
        self.health = LinkHealth::default();
        self.pending.failing = None;
        self.forget_tail();
        std::mem::replace(&mut self.link, link)
    }

    /// Installs keys. Returns the former session; where only its key was replaced, its numbering goes on.
    pub(crate) fn set_session(&mut self, mut session: Box<Session>) -> Option<Box<Session>> {
        if let (true, Some(former)) = (self.live, &self.session) {
            session.continue_stream(former);
        }
        self.live = self.link.is_some();
        self.session.replace(session)
    }

    /// Lets the session at rest go on.
    pub(crate) fn revive_session(&mut self, ssrc: u32) {
        if let Some(session) = &mut self.session {
            session.set_ssrc(ssrc);
            self.live = self.link.is_some();
        }
    }

    /// Changes what happens to frames from now on. Returns what happened so far.
    pub(crate) fn set_frames(&mut self, frames: FrameSession) -> FrameSession {
        if !(self.frames.is_held() && frames.is_held()) {
            self.held_since_ns = None;
        }
        std::mem::replace(&mut self.frames, frames)
    }

    /// Installs what plays from now on. Returns what played.
    pub(crate) fn set_feed(&mut self, feed: Option<Box<Feed>>) -> Option<Box<Feed>> {
        // Control has already told how the former track ended.
        self.pending.forget_track();
        if let Some(feed) = &feed {
            self.shared
                .position_ms
                .store(feed.start_ms(), Ordering::Relaxed);
        }
        std::mem::replace(&mut self.feed, feed)
    }

    /// Takes in a pause, a seek or pushed frames.
    pub(crate) fn take_poke(&mut self) {
        self.shared.poked.store(false, Ordering::SeqCst);
        self.follow_seek();
        if self.is_paused() {
            self.forget_dryness();
        }
    }

    /// Starts the grid anew: the flow was given a place on the wheel.
    pub(crate) fn begin_turns(&mut self, first_due_ns: u64) {
        self.schedule = SendSchedule::new(first_due_ns);
        if let Some(outlet) = &self.outlet {
            outlet.set_active(true);
            self.pending.woke = true;
        }
    }

    /// When the next frame would be due in a slot that lies at `offset_ns` in every period.
    pub(crate) fn due_in_slot(&self, offset_ns: u64) -> u64 {
        let due_ns = self.schedule.next_due();
        let bound = self
            .session
            .as_ref()
            .and_then(|s| s.moved(due_ns, offset_ns));
        bound.unwrap_or_else(|| {
            let ahead = (offset_ns + FRAME_NANOS - due_ns % FRAME_NANOS) % FRAME_NANOS;
            due_ns + ahead
        })
    }

    /// Goes on at another place of the period, with the frame that would have been next.
    pub(crate) fn go_on_at(&mut self, due_ns: u64) {
        self.schedule = SendSchedule::new(due_ns);
    }

    /// The flow has left the wheel.
    pub(crate) fn end_turns(&mut self) {
        if let Some(outlet) = &self.outlet {
            outlet.set_active(false);
        }
    }

    /// Whether the flow has something to do every period. One that has not costs no wake-up.
    pub(crate) fn wants_turns(&self) -> bool {
        self.winding_down || !self.pending.is_empty() || self.wants_frames()
    }

    fn wants_frames(&self) -> bool {
        let Some(feed) = &self.feed else { return false };
        if self.is_paused() || feed.is_over() {
            return false;
        }
        let has_or_gets_frames = feed.comes_by_itself() || !feed.is_empty();
        has_or_gets_frames && (self.may_send() || !feed.is_started())
    }

    /// Whether there is a socket, and keys that belong to it. A stream needs neither.
    fn may_send(&self) -> bool {
        let ready = self.live && self.session.is_some();
        self.outlet.is_some() || ready
    }

    /// Asks for what a turn needs besides the flow itself.
    pub(crate) fn warm_parts<S: PacketSink<Handle = H>>(&self, sink: &S) {
        prefetch(&*self.shared);
        if let Some(feed) = &self.feed {
            prefetch(&**feed);
        }
        if let Some(session) = &self.session {
            prefetch(&**session);
        }
        if let Some(link) = &self.link {
            sink.warm(&link.handle);
        }
    }

    /// Asks for what lies behind the feed, once that is here.
    pub(crate) fn warm_queue(&self) {
        if let Some(feed) = &self.feed {
            feed.warm_queue();
        }
    }

    /// Asks for the next frame's bytes.
    pub(crate) fn warm_frame(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.warm_frame();
        }
    }

    fn is_paused(&self) -> bool {
        self.shared.paused.load(Ordering::Relaxed)
    }

    /// Drops the frames from before a seek and moves the position.
    fn follow_seek(&mut self) {
        let epoch = self.shared.epoch();
        if epoch == self.epoch {
            return;
        }
        self.epoch = epoch;
        let position_ms = self.shared.seek_ms.load(Ordering::Relaxed);
        self.shared
            .position_ms
            .store(position_ms, Ordering::Relaxed);
        if let Some(feed) = &mut self.feed {
            feed.discard_older_than(epoch);
            feed.forget_dryness();
        }
    }

    fn forget_dryness(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.forget_dryness();
        }
    }

    /// With nothing to send through, silence is owed to nobody.
    fn forget_tail(&mut self) {
        self.tail = SilenceTail::default();
        self.winding_down = false;
    }
}
