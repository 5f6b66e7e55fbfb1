//! Everything that does: pacers, sockets, feeds, statistics.

pub mod feed;
pub mod frame_queue;
