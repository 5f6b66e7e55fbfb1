//! A transport stream as a file: the sound in it as a source of its own, which the packets of pictures around it do not reach.

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::{AudioError, AudioErrorCode};
use crate::input::Input;
use crate::mpeg_ts::TsAudio;
use crate::source::ByteSource;

/// The container's name in errors and in a track's info.
pub(crate) const NAME: &str = "mpegts";

/// Bytes that are read at once.
const CHUNK: usize = 188 * 64;
/// Bytes without any sound before the file is given up.
const MAX_SILENT: usize = 64 << 20;

/// Whether a file begins as a transport stream does.
pub(crate) fn is_transport_stream(head: &[u8]) -> bool {
    (0..3).all(|packet| head.get(188 * packet) == Some(&0x47))
}

/// The sound of a transport stream.
pub(crate) struct TsSource {
    input: Input,
    audio: TsAudio,
    /// Sound that was found and not read yet, from `at` on.
    found: Vec<u8>,
    at: usize,
    position: u64,
}

impl TsSource {
    /// Looks for the beginning of the sound.
    pub(crate) fn open(input: Input) -> Result<TsSource, AudioError> {
        let mut source = TsSource {
            input,
            audio: TsAudio::new(),
            found: Vec::new(),
            at: 0,
            position: 0,
        };
        let found = source
            .find()
            .map_err(|error| AudioError::io(NAME, &error))?;
        if found {
            return Ok(source);
        }
        Err(match source.audio.refused() {
            Some(name) => {
                let detail = format!("what it holds is {name}, which is not supported");
                AudioError::new(AudioErrorCode::UnsupportedCodec, NAME, detail)
            }
            None => AudioError::new(AudioErrorCode::EmptySource, NAME, "there is no sound in it"),
        })
    }

    /// Reads on until there is sound; `false` at the end.
    fn find(&mut self) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        let mut silent = 0;
        while self.at == self.found.len() {
            (self.at, silent) = (0, silent + CHUNK);
            self.found.clear();
            let count = self.input.read(&mut chunk)?;
            if count == 0 || self.audio.refused().is_some() {
                return Ok(false);
            }
            if silent > MAX_SILENT {
                return Err(io::Error::other("there is no sound for a long while"));
            }
            let found = &mut self.found;
            self.audio
                .push(&chunk[..count], |_, sound| found.extend_from_slice(sound));
        }
        Ok(true)
    }
}

impl Read for TsSource {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || !self.find()? {
            return Ok(0);
        }
        let count = out.len().min(self.found.len() - self.at);
        out[..count].copy_from_slice(&self.found[self.at..self.at + count]);
        self.at += count;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for TsSource {
    /// Where a byte of the sound lies is known only by reading up to it.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(_) => None,
        };
        let target = target.ok_or(io::ErrorKind::Unsupported)?;
        if target < self.position {
            self.input.rewind()?;
            self.audio = TsAudio::new();
            self.found.clear();
            (self.at, self.position) = (0, 0);
        }
        while self.position < target && self.find()? {
            let left = usize::try_from(target - self.position).unwrap_or(usize::MAX);
            let count = left.min(self.found.len() - self.at);
            self.at += count;
            self.position += count as u64;
        }
        Ok(self.position)
    }
}

impl ByteSource for TsSource {
    fn is_seekable(&self) -> bool {
        // Each time, everything up to the place is read.
        self.input.is_quick()
    }

    fn byte_len(&self) -> Option<u64> {
        None
    }
}
