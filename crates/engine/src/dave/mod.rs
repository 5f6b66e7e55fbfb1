//! End-to-end encryption of flows: the group's work on a few threads of its own, keys to the pacers
//! and to whoever opens what others send.
//!
//! ```text
//!  callers ── jobs, in order ──▶ DaveCall ──▶ DavePool: one worker at a time runs a call's machine
//!                                                 ├── events ──▶ Control ──▶ caller
//!                                                 ├── sender keys ──▶ Control ──▶ pacer
//!                                                 └── KeyRing, swapped in ──▶ DaveOpener (receive thread)
//! ```
//!
//! MLS work takes milliseconds, up to a quarter of a second in a full channel, so it happens neither
//! on a caller's thread nor on a pacer.

mod api;
mod call;
mod opener;
mod pool;
mod status;
#[cfg(test)]
mod tests;

pub use cadenza_dave::{
    CodeError, DaveCounters, DaveEvent, DaveFailure, DaveState, MemberIdentity, Reply,
    ServerMessage, verification_code,
};

pub use api::DaveTarget;
pub(crate) use call::DaveEntry;
pub(crate) use pool::{DavePool, DaveThreads};
pub use status::{DaveStatus, OpenCounts};
