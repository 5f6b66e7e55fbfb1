//! Development only: a clock moved by hand, a lossy link, signals, and a sink that records packets.
//!
//! Nothing here depends on the engine, so every crate's tests may use it.

#![forbid(unsafe_code)]

mod clock;
mod link;
mod random;
pub mod signal;
mod sink;

pub use clock::ManualClock;
pub use link::{LinkConfig, LossyLink};
pub use random::SeededRandom;
pub use sink::{Recorded, RecordingSink};
