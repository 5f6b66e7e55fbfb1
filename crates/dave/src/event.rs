//! What the owner of a call learns about its encryption.

use crate::code::MemberIdentity;
use crate::message::Reply;

/// Something the call's owner has to do or to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DaveEvent {
    /// To be sent to the voice gateway, in order.
    Send(Reply),
    /// Something about the encryption has changed.
    State(DaveState),
    /// A transition was executed.
    Executed {
        /// The transition.
        transition: u16,
        /// The version from here on.
        version: u16,
    },
    /// Encryption cannot go on in this session: identify anew.
    Failed(DaveFailure),
}

/// How a call is encrypted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DaveState {
    /// 0 is none.
    pub version: u16,
    /// Whether sound may be sent: there is a key, or none is needed.
    pub ready: bool,
    /// The group's epoch, once there is a group with others.
    pub epoch: Option<u64>,
    /// The group's members, the call's own user among them, ascending.
    pub members: Vec<MemberIdentity>,
    /// Thirty digits that are the same for every member in an epoch.
    pub privacy_code: Option<String>,
}

/// Why encryption cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DaveFailure {
    /// Too many commits or welcomes in a row could not be used.
    #[error("recovery did not help: too many invalid commits or welcomes within a minute")]
    RecoveryExhausted,
    /// Others are here, and the group was not joined in time.
    #[error("no end-to-end encrypted group was joined within 20 seconds")]
    JoinTimeout,
    /// The gateway asks for a version that is not spoken.
    #[error("the voice server asks for an end-to-end encryption version that is not supported")]
    VersionUnsupported,
    /// The MLS library failed in a way that it should not.
    #[error("the MLS library failed")]
    LibraryFailed,
    /// What others send could not be decrypted, and joining the group anew did not help.
    #[error("frames of others could not be decrypted, and joining the group anew did not help")]
    Undecryptable,
    /// More messages wait than are kept.
    #[error("too many end-to-end encryption messages wait to be processed")]
    Overloaded,
}

impl DaveFailure {
    /// The cause as a stable snake_case string.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            DaveFailure::RecoveryExhausted => "dave_recovery_exhausted",
            DaveFailure::JoinTimeout => "dave_join_timeout",
            DaveFailure::VersionUnsupported => "dave_version_unsupported",
            DaveFailure::LibraryFailed => "dave_library_failed",
            DaveFailure::Undecryptable => "dave_undecryptable",
            DaveFailure::Overloaded => "dave_overloaded",
        }
    }
}

/// What a call's group did so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DaveCounters {
    /// Key packages sent, one per life of a group.
    pub key_packages: u64,
    /// Commits sent.
    pub commits_sent: u64,
    /// Of these, the ones that the gateway chose.
    pub commits_won: u64,
    /// Commits of others that were applied.
    pub commits_applied: u64,
    /// Welcomes by which a group was joined.
    pub welcomes: u64,
    /// Transitions executed.
    pub transitions: u64,
    /// Times that op 31 was sent.
    pub recoveries: u64,
    /// Messages that were malformed, out of place, or refused, and had no consequence.
    pub ignored: u64,
    /// Proposals refused because they add a user whom the gateway had not announced.
    pub unknown_users: u64,
}
