//! HTTP Live Streaming, apart from the network: playlists, the choice among them, what segments hold.

mod choice;
mod playlist;
mod segment;

pub use choice::choices;
pub use playlist::{
    ByteRange, Encryption, Hls, Key, MAX_SEGMENTS, Map, Master, Media, Rendition, Segment, Variant,
    parse,
};
pub use segment::{Format, SegmentError, SegmentReader, decrypt};
