//! Writing recordings: what goes into a file, as bytes. Opens no files.

mod ogg;
mod wav;

pub use ogg::OggOpusWriter;
pub use wav::{MAX_WAV_DATA, WAV_HEADER_LEN, wav_header};
