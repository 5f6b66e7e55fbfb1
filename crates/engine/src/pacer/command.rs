//! What other threads ask of a pacer, and what it hands back to be freed.

use cadenza_dave::FrameSession;

use crate::flow::{Feed, Flow, Link, Session};

/// One change, applied at the start of a tick. What it carries was allocated by the sender.
pub enum Command<H> {
    /// A new flow takes a free place.
    Insert {
        /// The place.
        place: u32,
        /// The flow.
        flow: Box<Flow<H>>,
    },
    /// A flow leaves, whatever it does.
    Remove {
        /// The place.
        place: u32,
    },
    /// A flow leaves for another pacer; it comes back out with the reports.
    Leave {
        /// The place.
        place: u32,
    },
    /// A socket takes the place of a former one. Sealing stops until a session follows.
    Link {
        /// The place.
        place: u32,
        /// The socket.
        link: Link<H>,
    },
    /// The socket goes away, and the session rests.
    Unlink {
        /// The place.
        place: u32,
    },
    /// Keys arrive: sealing starts.
    Session {
        /// The place.
        place: u32,
        /// Sealer and RTP state.
        session: Box<Session>,
    },
    /// The session at rest starts again under an SSRC, with nonce and sequence going on.
    Revive {
        /// The place.
        place: u32,
        /// The SSRC to send with.
        ssrc: u32,
    },
    /// End-to-end encryption changes: from the next frame on, this happens to frames.
    Frames {
        /// The place.
        place: u32,
        /// What happens.
        frames: FrameSession,
    },
    /// A feed takes the place of a former one.
    Feed {
        /// The place.
        place: u32,
        /// The new feed.
        feed: Box<Feed>,
    },
    /// The feed goes away.
    Clear {
        /// The place.
        place: u32,
    },
    /// Something in the shared state has changed: pause, seek, pushed frames.
    Poke {
        /// The place.
        place: u32,
    },
}

impl<H> Command<H> {
    pub(crate) fn place(&self) -> u32 {
        match self {
            Command::Insert { place, .. }
            | Command::Remove { place }
            | Command::Leave { place }
            | Command::Link { place, .. }
            | Command::Unlink { place }
            | Command::Session { place, .. }
            | Command::Revive { place, .. }
            | Command::Frames { place, .. }
            | Command::Feed { place, .. }
            | Command::Clear { place }
            | Command::Poke { place } => *place,
        }
    }

    /// What the command carries, if nobody takes it.
    pub(crate) fn into_garbage(self) -> Option<Garbage<H>> {
        match self {
            Command::Insert { flow, .. } => Some(Garbage::Flow(flow)),
            Command::Link { link, .. } => Some(Garbage::Link(link)),
            Command::Session { session, .. } => Some(Garbage::Session(session)),
            Command::Frames { frames, .. } => Some(Garbage::Frames(frames)),
            Command::Feed { feed, .. } => Some(Garbage::Feed(feed)),
            Command::Remove { .. }
            | Command::Leave { .. }
            | Command::Unlink { .. }
            | Command::Revive { .. }
            | Command::Clear { .. }
            | Command::Poke { .. } => None,
        }
    }
}

/// What a pacer no longer needs; freed by the thread that reads its reports, or sent on by it.
pub(crate) enum Garbage<H> {
    /// On its way to another pacer.
    Moving(Box<Flow<H>>),
    Flow(#[expect(dead_code, reason = "held to be dropped")] Box<Flow<H>>),
    Link(#[allow(dead_code, reason = "held to be dropped")] Link<H>),
    Session(#[expect(dead_code, reason = "held to be dropped")] Box<Session>),
    Frames(#[expect(dead_code, reason = "held to be dropped")] FrameSession),
    Feed(#[expect(dead_code, reason = "held to be dropped")] Box<Feed>),
}
