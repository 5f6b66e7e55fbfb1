//! Listening: what other members of a call send.

mod media_opener;

pub use media_opener::{MediaOpener, OpenFailure, PassThrough};
