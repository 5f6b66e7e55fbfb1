//! A recording: which files it has, and what happens when one cannot be written.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use cadenza_audio::opus::PcmFormat;
use cadenza_proto::jitter::{nanos_of, samples_in};

use super::record_file::RecordFile;
use super::stream::Heard;
use super::{ReceiveEvent, RecordContainer, RecordRequest};

/// Files of one recording; speakers beyond that are not recorded.
const MAX_FILES: usize = 512;
/// The file of a recording that has only one.
const ONLY: u64 = 0;

/// One file of a recording that has ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordedFile {
    /// Where it is.
    pub path: String,
    /// Whose sound it holds; `None` for a mix.
    pub user: Option<u64>,
    /// Its length in samples at 48 kHz.
    pub samples: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Why a recording ended before it was asked to.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// A recording under way.
pub(super) struct Recording {
    id: u32,
    request: RecordRequest,
    started_ns: u64,
    /// By user, or one under [`ONLY`].
    files: HashMap<u64, RecordFile>,
    failure: Option<Failure>,
}

impl Recording {
    /// Begins. Where there is only one file, it is created at once.
    ///
    /// # Errors
    /// The event that tells of the failure.
    pub(super) fn start(
        id: u32,
        request: RecordRequest,
        now_ns: u64,
    ) -> Result<Recording, ReceiveEvent> {
        let mut recording = Recording {
            id,
            request,
            started_ns: now_ns,
            files: HashMap::new(),
            failure: None,
        };
        if !recording.has_file_per_user()
            && let Err(error) = recording.open_file(ONLY)
        {
            return Err(recording.fail("recording_failed", &error.to_string()));
        }
        Ok(recording)
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// The form in which it takes a user's sound, if decoded.
    pub(super) fn format(&self, user: u64) -> Option<PcmFormat> {
        match self.request.container {
            RecordContainer::Wav(format) if self.includes(user) => Some(format),
            _ => None,
        }
    }

    /// Takes a piece in. A recording that has failed takes nothing more.
    pub(super) fn take(&mut self, heard: &Heard<'_>) {
        if self.failure.is_some() || !self.includes(heard.user) {
            return;
        }
        let key = self.key(heard.user);
        if !self.files.contains_key(&key) {
            if self.files.len() >= MAX_FILES {
                return;
            }
            if let Err(error) = self.open_file(key) {
                return self.note(&error);
            }
        }
        let Some(file) = self.files.get_mut(&key) else {
            return;
        };
        if let Err(error) = file.take(heard) {
            self.note(&error);
        }
    }

    /// A stream is complete.
    pub(super) fn gone(&mut self, user: u64, ssrc: u32) {
        let key = self.key(user);
        if let Some(file) = self.files.get_mut(&key) {
            file.gone(ssrc);
        }
    }

    /// Writes what has settled, so that little is lost if the process dies.
    pub(super) fn tend(&mut self, now_ns: u64) {
        if self.failure.is_some() {
            return;
        }
        let failed = self
            .files
            .values_mut()
            .find_map(|file| file.tend(now_ns).err());
        if let Some(error) = failed {
            self.note(&error);
        }
    }

    /// Why it cannot go on.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    /// Ends it: its files are whole. Files that begin with the recording end with it, too.
    pub(super) fn finish(mut self, now_ns: u64) -> ReceiveEvent {
        if let Some(failure) = self.failure.take() {
            return self.fail(failure.code, &failure.message);
        }
        let length = samples_in(now_ns.saturating_sub(self.started_ns));
        let length = self.begins_at_once().then_some(length);
        let mut files = Vec::new();
        for (key, file) in std::mem::take(&mut self.files) {
            let user = self.request.user.or((key != ONLY).then_some(key));
            match file.finish(length) {
                Ok((path, samples, bytes)) => files.push(RecordedFile {
                    path,
                    user,
                    samples,
                    bytes,
                }),
                Err(error) => return self.fail("recording_failed", &error.to_string()),
            }
        }
        files.sort_by_key(|file| file.user);
        ReceiveEvent::RecordingEnded {
            recording: self.id,
            files,
        }
    }

    /// Ends it in failure; what its files hold is kept where that is possible.
    pub(super) fn fail(mut self, code: &'static str, message: &str) -> ReceiveEvent {
        for (_, file) in self.files.drain() {
            let _ = file.finish(None);
        }
        ReceiveEvent::RecordingFailed {
            recording: self.id,
            code,
            message: message.to_owned(),
        }
    }

    fn note(&mut self, error: &io::Error) {
        let code = match error.kind() {
            io::ErrorKind::FileTooLarge => "recording_too_long",
            _ => "recording_failed",
        };
        self.failure = Some(Failure {
            code,
            message: error.to_string(),
        });
    }

    fn open_file(&mut self, key: u64) -> io::Result<()> {
        let path = self
            .request
            .path
            .replace(RecordRequest::USER, &key.to_string());
        let start_ns = self.begins_at_once().then_some(self.started_ns);
        let mixed = self.request.is_mix();
        let file =
            RecordFile::create(PathBuf::from(path), self.request.container, start_ns, mixed)?;
        self.files.insert(key, file);
        Ok(())
    }

    fn begins_at_once(&self) -> bool {
        self.request.from_start || self.request.is_mix()
    }

    fn has_file_per_user(&self) -> bool {
        self.request.user.is_none() && !self.request.is_mix()
    }

    fn key(&self, user: u64) -> u64 {
        if self.has_file_per_user() { user } else { ONLY }
    }

    fn includes(&self, user: u64) -> bool {
        self.request.user.is_none_or(|wanted| wanted == user)
    }
}

/// Where a moment of a stream's line lies on a line that began at `start_ns`: negative before it.
pub(super) fn placed(origin_ns: u64, start_ns: u64, position: u64) -> i64 {
    let at_ns = origin_ns.saturating_add(nanos_of(position));
    if at_ns >= start_ns {
        samples_in(at_ns - start_ns) as i64
    } else {
        -(samples_in(start_ns - at_ns) as i64)
    }
}
