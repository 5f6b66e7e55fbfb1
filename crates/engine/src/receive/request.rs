//! What can be asked of the receiving side.

use std::collections::HashSet;

use cadenza_audio::opus::PcmFormat;

use crate::EngineError;

/// A choice among the users of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Users {
    /// Everybody.
    All,
    /// These alone; an empty set is nobody.
    Only(HashSet<u64>),
}

impl Users {
    /// Nobody.
    pub fn none() -> Users {
        Users::Only(HashSet::new())
    }

    /// Whether a user is among them.
    pub fn includes(&self, user: u64) -> bool {
        match self {
            Users::All => true,
            Users::Only(users) => users.contains(&user),
        }
    }

    /// Adds others.
    pub(super) fn add(&mut self, others: &Users) {
        match (&mut *self, others) {
            (Users::Only(mine), Users::Only(others)) => mine.extend(others),
            (Users::Only(_), Users::All) => *self = Users::All,
            (Users::All, _) => {}
        }
    }
}

/// The form in which sound is handed over.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OutputFormat {
    /// Opus packets as they were sent.
    Opus,
    /// Decoded samples, losses concealed.
    Pcm(PcmFormat),
}

/// One form of sound for some users.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OutputRequest {
    /// Chosen by the caller; names the output in batches.
    pub id: u32,
    /// Whose sound.
    pub users: Users,
    /// In which form.
    pub format: OutputFormat,
}

/// What a flow's listener hands to its caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReceiveRequest {
    /// The outputs; none is a listener that only tells who speaks.
    pub outputs: Vec<OutputRequest>,
    /// How long sound is gathered before it is handed over, milliseconds, 10 to 1,000. Default 20.
    pub batch_ms: u32,
}

impl Default for ReceiveRequest {
    fn default() -> ReceiveRequest {
        ReceiveRequest {
            outputs: Vec::new(),
            batch_ms: 20,
        }
    }
}

/// The kind of file that a recording becomes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordContainer {
    /// RIFF WAVE, decoded, of this format; several speakers are mixed.
    Wav(PcmFormat),
    /// Ogg with the Opus packets as they were sent; one speaker to a file.
    Ogg,
}

/// One recording.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordRequest {
    /// Whom to record; `None` is everybody.
    pub user: Option<u64>,
    /// The file. A `{user}` in it stands for the user's id; without it, everybody is mixed into one file.
    pub path: String,
    /// The kind of file.
    pub container: RecordContainer,
    /// Whether files begin when the recording does, so that those of several speakers fit together,
    /// and not with the first sound. Mixes always do.
    pub from_start: bool,
}

impl RecordRequest {
    /// What stands for the user's id in a path.
    pub const USER: &str = "{user}";

    /// Whether it can be carried out.
    ///
    /// # Errors
    /// [`EngineError::InvalidRecording`].
    pub(super) fn check(&self) -> Result<(), EngineError> {
        if self.path.is_empty() || self.path.contains('\0') {
            return Err(EngineError::InvalidRecording("it needs a path"));
        }
        if self.container == RecordContainer::Ogg && self.is_mix() {
            return Err(EngineError::InvalidRecording(
                "an Ogg file holds one speaker: name a user, or put {user} into the path",
            ));
        }
        Ok(())
    }

    /// Whether all speakers go into one file.
    pub(super) fn is_mix(&self) -> bool {
        self.user.is_none() && !self.path.contains(RecordRequest::USER)
    }

    /// The users it needs to hear.
    pub(super) fn users(&self) -> Users {
        match self.user {
            Some(user) => Users::Only(HashSet::from([user])),
            None => Users::All,
        }
    }
}
