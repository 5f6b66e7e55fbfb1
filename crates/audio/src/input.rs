//! The byte source with its beginning remembered and the bytes per step limited.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use symphonia::core::io::MediaSource;

use crate::error::{AudioError, AudioErrorCode};
use crate::held;
use crate::source::ByteSource;

/// How much of the beginning is looked at to recognise a format, when less does not suffice.
const HEAD_BYTES: usize = 64 * 1024;
/// How much is looked at first: a live stream takes long to bring more.
const FIRST_BYTES: usize = 8 * 1024;

/// The most ID3v2 tags in a row that are skipped.
const MAX_TAGS: usize = 4;

/// How many bytes may be read until the next step; what a demuxer holds is bounded by it.
#[derive(Debug, Default)]
pub(crate) struct ReadBudget {
    left: AtomicU64,
    spent: AtomicBool,
}

impl ReadBudget {
    /// Begins a step that may read `bytes`.
    pub(crate) fn refill(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
        self.spent.store(false, Ordering::Relaxed);
    }

    /// Whether the step wanted more than it may have.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    fn take(&self, wanted: usize) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 && wanted > 0 {
            self.spent.store(true, Ordering::Relaxed);
            return Err(io::Error::other(
                "the file wants to be read beyond the limit of one step",
            ));
        }
        Ok(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    fn give_back(&self, unused: usize) {
        self.left.fetch_add(unused as u64, Ordering::Relaxed);
    }
}

/// A byte source whose position 0 is behind any ID3v2 tag.
pub(crate) struct Input {
    source: Box<dyn ByteSource>,
    seekable: bool,
    len: Option<u64>,
    /// Where position 0 of this input lies in the source.
    base: u64,
    head: Vec<u8>,
    position: u64,
    source_position: u64,
    budget: Arc<ReadBudget>,
    plain_stream: bool,
    /// Bytes that are read as others, by position.
    patches: Vec<Patch>,
}

/// Four bytes at a position that are read as others.
pub(crate) type Patch = (u64, [u8; 4]);

impl Input {
    /// Reads the beginning of `source`, skipping ID3v2 tags without storing them.
    pub(crate) fn open(source: Box<dyn ByteSource>) -> Result<Input, AudioError> {
        let seekable = source.is_seekable();
        let len = source.byte_len();
        let mut input = Input {
            source,
            seekable,
            len,
            base: 0,
            head: Vec::new(),
            position: 0,
            source_position: 0,
            budget: Arc::default(),
            plain_stream: false,
            patches: Vec::new(),
        };
        input.budget.refill(u64::MAX);
        let probe = |error: io::Error| AudioError::io("probe", &error);
        if seekable {
            input.source.rewind().map_err(probe)?;
        }
        input.fill_head(FIRST_BYTES).map_err(probe)?;
        if input.head.is_empty() {
            let detail = "the source is empty";
            return Err(AudioError::new(
                AudioErrorCode::EmptySource,
                "probe",
                detail,
            ));
        }
        for _ in 0..MAX_TAGS {
            let Some(tag_len) = id3v2_len(&input.head) else {
                break;
            };
            input.skip_front(tag_len)?;
        }
        Ok(input)
    }

    /// Looks at as much of the beginning as is ever looked at: 64 KiB.
    pub(crate) fn look_further(&mut self) -> Result<(), AudioError> {
        self.fill_head(HEAD_BYTES)
            .map_err(|error| AudioError::io("probe", &error))
    }

    /// Has some bytes read as others.
    pub(crate) fn patch(&mut self, patches: Vec<Patch>) {
        self.patches = patches;
    }

    /// Reads all of a source that cannot be sought in, so that it can be. Only before anything else was read.
    pub(crate) fn hold_whole(&mut self, format: &'static str) -> Result<(), AudioError> {
        let whole = held::read_whole(format, &self.head, self.len(), &mut self.source)?;
        let whole = io::Cursor::new(whole);
        self.len = ByteSource::byte_len(&whole);
        self.source = Box::new(whole);
        (self.base, self.source_position, self.seekable) = (0, 0, true);
        Ok(())
    }

    /// The first bytes, at most 64 KiB.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The length in bytes, when known, counted from position 0.
    pub(crate) fn len(&self) -> Option<u64> {
        self.len.map(|len| len.saturating_sub(self.base))
    }

    /// Makes a container's reader take this for a stream without length, in which it does not jump.
    pub(crate) fn appear_as_stream(&mut self) {
        self.plain_stream = true;
    }

    pub(crate) fn seekable(&self) -> bool {
        self.seekable
    }

    /// Whether jumping about costs next to nothing.
    pub(crate) fn is_quick(&self) -> bool {
        self.seekable && self.source.is_quick()
    }

    pub(crate) fn budget(&self) -> Arc<ReadBudget> {
        Arc::clone(&self.budget)
    }

    /// Moves position 0 forward by `count` bytes and looks at the new beginning.
    pub(crate) fn skip_front(&mut self, count: u64) -> Result<(), AudioError> {
        let too_long = || AudioError::malformed("id3", "the tag is longer than the file");
        if self.len().is_some_and(|len| count >= len) {
            return Err(too_long());
        }
        let kept = usize::try_from(count)
            .ok()
            .filter(|&count| count < self.head.len());
        self.base += count;
        match kept {
            Some(count) => {
                self.head.drain(..count);
            }
            None => {
                self.head.clear();
                self.move_source(self.base)
                    .map_err(|error| AudioError::io("id3", &error))?;
            }
        }
        self.fill_head(FIRST_BYTES)
            .map_err(|error| AudioError::io("id3", &error))?;
        if self.head.is_empty() {
            Err(too_long())
        } else {
            Ok(())
        }
    }

    fn fill_head(&mut self, wanted: usize) -> io::Result<()> {
        let mut chunk = [0; 8192];
        while self.head.len() < wanted {
            let room = chunk.len().min(wanted - self.head.len());
            match read_some(&mut self.source, &mut chunk[..room])? {
                0 => break,
                count => {
                    self.head.extend_from_slice(&chunk[..count]);
                    self.source_position += count as u64;
                }
            }
        }
        Ok(())
    }

    /// Brings the source to an absolute position: by seeking, or forward by reading.
    fn move_source(&mut self, target: u64) -> io::Result<()> {
        if self.source_position == target {
            return Ok(());
        }
        if self.seekable {
            self.source_position = self.source.seek(SeekFrom::Start(target))?;
            return Ok(());
        }
        let Some(mut rest) = target.checked_sub(self.source_position) else {
            return Err(io::Error::other("the source cannot go back"));
        };
        let mut chunk = [0; 8192];
        while rest > 0 {
            let room = chunk.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            match read_some(&mut self.source, &mut chunk[..room])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    rest -= count as u64;
                    self.source_position += count as u64;
                }
            }
        }
        Ok(())
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let from_head = usize::try_from(self.position)
            .ok()
            .and_then(|at| self.head.get(at..))
            .filter(|rest| !rest.is_empty());
        let granted = self.budget.take(out.len())?;
        let count = if let Some(rest) = from_head {
            let count = granted.min(rest.len());
            out[..count].copy_from_slice(&rest[..count]);
            count
        } else {
            // Playing has begun: thousands of tracks need not each keep their beginning.
            self.head = Vec::new();
            self.move_source(self.base + self.position)?;
            let count = read_some(&mut self.source, &mut out[..granted])?;
            self.source_position += count as u64;
            count
        };
        self.budget.give_back(granted - count);
        apply(&self.patches, self.position, &mut out[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len().and_then(|len| len.checked_add_signed(delta)),
        };
        // The source itself moves when bytes are wanted, so a seek that is taken back costs nothing.
        self.position = target
            .filter(|position| position.checked_add(self.base).is_some())
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

impl MediaSource for Input {
    fn is_seekable(&self) -> bool {
        self.seekable && !self.plain_stream
    }

    fn byte_len(&self) -> Option<u64> {
        self.len().filter(|_| !self.plain_stream)
    }
}

fn read_some(source: &mut Box<dyn ByteSource>, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(count) if count > out.len() => {
                return Err(io::Error::other(
                    "the source reports more bytes than it was asked for",
                ));
            }
            result => return result,
        }
    }
}

/// Changes those of the bytes from `position` on that are to be read as others.
fn apply(patches: &[Patch], position: u64, bytes: &mut [u8]) {
    for (at, patch) in patches {
        for (place, &byte) in (*at..).zip(patch) {
            let index = place.checked_sub(position).map(usize::try_from);
            if let Some(target) = index
                .and_then(Result::ok)
                .and_then(|index| bytes.get_mut(index))
            {
                *target = byte;
            }
        }
    }
}

/// The whole length of an ID3v2 tag at the front, with its header.
fn id3v2_len(head: &[u8]) -> Option<u64> {
    let header = head
        .first_chunk::<10>()
        .filter(|header| header.starts_with(b"ID3"))?;
    if header[6..].iter().any(|byte| byte & 0x80 != 0) {
        return None;
    }
    let size = header[6..]
        .iter()
        .fold(0_u64, |size, &byte| size << 7 | u64::from(byte));
    let footer = if header[5] & 0x10 != 0 { 10 } else { 0 };
    Some(10 + size + footer)
}
