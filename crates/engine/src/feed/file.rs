//! Opens local files: regular ones only, with typed errors.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use cadenza_audio::ProbeHint;

use super::error::{FeedError, code};

/// Opens the regular file at `path` (symbolic links are followed).
pub(super) fn open(path: &Path) -> Result<File, FeedError> {
    // Looked at before opening, because opening some devices has effects of its own.
    let before = std::fs::metadata(path).map_err(|error| failure(path, &error))?;
    require_regular(path, &before)?;
    let file = open_without_waiting(path).map_err(|error| failure(path, &error))?;
    // Looked at once more through the handle: the name may have been given to something else.
    let opened = file.metadata().map_err(|error| failure(path, &error))?;
    require_regular(path, &opened)?;
    Ok(file)
}

/// What the name says about the content.
pub(super) fn hint(path: &Path) -> ProbeHint {
    ProbeHint {
        extension: path
            .extension()
            .map(|extension| extension.to_string_lossy().to_ascii_lowercase()),
        mime: None,
    }
}

/// Opens for reading such that a named pipe put in the file's place cannot hold the thread.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // It has no effect on regular files.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

fn require_regular(path: &Path, metadata: &Metadata) -> Result<(), FeedError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(FeedError::new(
        code::SOURCE_NOT_A_FILE,
        format!("{} is no regular file; name a media file", path.display()),
    ))
}

fn failure(path: &Path, error: &io::Error) -> FeedError {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FeedError::new(
            code::SOURCE_NOT_FOUND,
            format!("there is no file at {path}; check the path"),
        ),
        io::ErrorKind::PermissionDenied => FeedError::new(
            code::READ_FAILED,
            format!("{path} may not be read by this process; check its permissions"),
        ),
        _ => FeedError::new(
            code::READ_FAILED,
            format!("{path} cannot be read ({error}); check the file and its disk"),
        ),
    }
}
