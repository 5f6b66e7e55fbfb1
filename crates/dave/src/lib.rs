//! End-to-end encryption of a call (DAVE): the MLS group, its transitions, and the keys of frames.
//!
//! ```text
//!  voice gateway ──▶ Dave ──▶ replies for the gateway
//!                     │ ├──▶ SenderKeys, switched when a transition is executed  ──▶ FrameSession (pacer)
//!                     │ └──▶ KeyRing, changed when an epoch begins               ──▶ opener (receive thread)
//!                     ▼
//!                   Group ──▶ davey: the only file that knows an MLS library
//! ```
//!
//! [`Dave`] decides and does nothing else: time is an argument, and what it wants done is polled from
//! it. MLS work takes milliseconds, so it belongs on a worker thread, one message after the other.

#![forbid(unsafe_code)]

mod code;
mod distress;
mod event;
mod frames;
mod group;
mod key_ring;
mod life;
mod machine;
mod message;
mod recovery;
mod wire;

pub use code::{CodeError, MemberIdentity, verification_code};
pub use distress::Undecryptable;
pub use event::{DaveCounters, DaveEvent, DaveFailure, DaveState};
pub use frames::{FrameSession, NotProtected, SenderKeys};
pub use group::Identity;
pub use key_ring::{ClearFrames, KeyRing};
pub use life::OpenDave;
pub use machine::{Dave, Output};
pub use message::{Reply, ServerMessage};

/// Protocol version of a call without end-to-end encryption.
pub const NO_ENCRYPTION: u16 = 0;

/// The highest protocol version that is spoken.
pub const MAX_VERSION: u16 = 1;
