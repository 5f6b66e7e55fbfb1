//! Opus: the codec behind a safe wrapper, and packets that are understood without decoding.

mod ffi;
mod head;
mod packet;
mod reframe;
mod voice;

pub use ffi::{Decoder, Encoder, OpusError, SurroundDecoder};
pub use head::{MAX_SURROUND, OpusHead, Surround};
pub use packet::{Packet, PacketError, Toc, packet_samples};
pub use reframe::{Reframer, Unsplittable};
pub use voice::{PcmFormat, VoiceDecoder, has_fec};

/// The most samples per channel that one Opus packet can hold: 120 ms at 48 kHz.
pub const MAX_PACKET_SAMPLES: usize = 5760;

/// The longest packet that is looked at, in bytes: 48 full frames and their lengths, rounded up.
pub const MAX_PACKET_BYTES: usize = 61_440;
