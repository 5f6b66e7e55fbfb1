//! Frames of Discord's end-to-end encryption (DAVE): how one Opus frame is sealed by its sender and
//! opened by every other member, below the transport encryption.
//!
//! ```text
//! interleaved frame | tag 8 | uleb128 nonce | { uleb128 offset, uleb128 size }* | size u8 | FA FA
//! ```
//!
//! The frame is sealed with AES-128-GCM; eight of the sixteen tag bytes travel. `size` counts all that
//! follows the interleaved frame. The ranges name bytes that stay clear and are authenticated; Opus
//! frames have none. Keys come from a ratchet per sender and epoch ([`BaseKey`]); the twelve bytes of
//! nonce are eight zeros and a counter, little endian, whose top byte is the ratchet's generation.

mod cipher;
mod frame;
mod keys;
mod open;
mod ratchet;
mod replay;
mod seal;

pub use frame::{NotAFrame, Range, Ranges, Trailer};
pub use keys::KEY_LIFE_NS;
pub use open::{FrameOpener, OpenFrameError};
pub use ratchet::BaseKey;
pub use seal::{FrameSealer, SealFrameError};

/// Bytes of the tag that travel.
pub const TAG_LEN: usize = 8;
/// The last two bytes of every protected frame.
pub const MARKER: [u8; 2] = [0xFA, 0xFA];
/// Bytes that protection adds to an Opus frame, at most: tag, five bytes of nonce, size, marker.
pub const MAX_OVERHEAD: usize = TAG_LEN + 5 + 1 + MARKER.len();
/// The longest protected frame that is opened, in bytes; longer than any UDP payload on the voice path.
pub const MAX_PROTECTED_FRAME: usize = 2_048;

/// Bytes of the counter that count frames within one generation of the ratchet.
const GENERATION_SHIFT: u32 = 24;
