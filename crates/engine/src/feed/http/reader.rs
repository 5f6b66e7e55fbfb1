//! The decoder's end of a pipe: blocking reads that cost no other feed its worker.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Weak};

use cadenza_audio::ByteSource;

use super::pipe::Pipe;
use crate::feed::error::{FeedError, code};
use crate::feed::pool::Pool;

/// Reads a pipe, or one part of it.
pub(crate) struct HttpReader {
    pipe: Arc<Pipe>,
    pool: Weak<Pool>,
}

impl HttpReader {
    pub(crate) fn new(pipe: Arc<Pipe>, pool: Weak<Pool>) -> HttpReader {
        HttpReader { pipe, pool }
    }
}

impl Read for HttpReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(result) = self.pipe.try_read(out) {
            return result;
        }
        let Some(pool) = self.pool.upgrade() else {
            return Err(io::Error::other("the feed host is shut down"));
        };
        pool.while_another_thread_works(|| self.pipe.read(out))
            .unwrap_or_else(|| {
                let error = FeedError::new(
                    code::HTTP_STALLED,
                    "too many sources wait for their servers; try again later",
                );
                self.pipe.fail(error);
                self.pipe.read(out)
            })
    }
}

impl Seek for HttpReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.pipe.seek(to)
    }
}

impl ByteSource for HttpReader {
    fn is_seekable(&self) -> bool {
        self.pipe.about().seekable
    }

    fn byte_len(&self) -> Option<u64> {
        self.pipe.about().total
    }
}
