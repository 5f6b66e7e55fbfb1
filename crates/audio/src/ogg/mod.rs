//! Ogg Opus: packets with their places in time, seeking, chained streams (RFC 7845).

mod page;
mod seek;
mod stream;

pub(crate) use stream::OggOpus;
