//! Where bytes come from: the trait the engine implements for files and HTTP bodies.

use std::fs::File;
use std::io::{Cursor, Read, Seek};

/// A media file's bytes.
///
/// Reads may block; an `Err` ends the track with `read_failed`. When [`is_seekable`] is false, `seek`
/// is never called and seeking in the track fails with `seek_failed` unless it can read ahead to the place.
///
/// [`is_seekable`]: ByteSource::is_seekable
pub trait ByteSource: Read + Seek + Send + Sync {
    /// Whether `seek` works.
    fn is_seekable(&self) -> bool;
    /// The total length in bytes, when known.
    fn byte_len(&self) -> Option<u64>;
    /// Whether a read from elsewhere costs next to nothing, as in a local file. Where it costs a
    /// request, places are estimated rather than looked up. Default `false`.
    fn is_quick(&self) -> bool {
        false
    }
}

impl<T: AsRef<[u8]> + Send + Sync> ByteSource for Cursor<T> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.get_ref().as_ref().len() as u64)
    }

    fn is_quick(&self) -> bool {
        true
    }
}

impl ByteSource for File {
    fn is_seekable(&self) -> bool {
        self.metadata().is_ok_and(|metadata| metadata.is_file())
    }

    fn byte_len(&self) -> Option<u64> {
        self.metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|metadata| metadata.len())
    }

    fn is_quick(&self) -> bool {
        true
    }
}

/// What the outside says about the content. It only breaks ties: content decides.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProbeHint {
    /// The file name's extension, without the dot.
    pub extension: Option<String>,
    /// The MIME type, such as `audio/ogg`.
    pub mime: Option<String>,
}
