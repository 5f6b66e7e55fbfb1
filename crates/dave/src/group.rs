//! One life of an MLS group over the `davey` crate. No other file knows that library.
//!
//! What is relied on in davey 0.2.0, each pinned by a test: commits cover proposals of earlier
//! messages and then come with their welcome; duplicate users, proposals of anybody but the external
//! sender and commits with inline proposals are refused. What is not used of it: its encryptor,
//! decryptors and transitions, because keys are switched here per transition and frames are sealed in
//! place by `cadenza-proto`. Every call is shielded against panics.

use std::fmt;
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cadenza_proto::dave::BaseKey;
use davey::errors::{ProcessCommitError, ProcessWelcomeError};
use davey::{DaveSession, ProposalsOperationType, SigningKeyPair};
use openmls_rust_crypto::RustCrypto;

use crate::code::{MemberIdentity, privacy_code};
use crate::wire;

const SENDER_KEY_LABEL: &str = "Discord Secure Frames v0";
const SENDER_KEY_LEN: usize = 16;
/// Proposals that one epoch may collect; more than any channel has members, twice.
const MAX_PROPOSALS: usize = 8_192;
const APPEND: u8 = 0;
const REVOKE: u8 = 1;

/// Hash functions for exporting keys.
static CRYPTO: LazyLock<RustCrypto> = LazyLock::new(RustCrypto::default);

/// The signature key pair by which one bot is known to other members. Codes that people compare stay
/// the same as long as it does.
#[derive(Clone)]
pub struct Identity(Arc<SigningKeyPair>);

impl Identity {
    /// A new key pair from the system's randomness.
    #[must_use]
    pub fn generate() -> Identity {
        Identity(Arc::new(SigningKeyPair::generate()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Why a group did not do what it was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum GroupError {
    /// The message has no consequence: log it, and answer nothing.
    Refused,
    /// The library panicked; the group must not be used any more.
    Broken,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Committed {
    /// A new epoch has begun, by one's own commit or another's.
    NewEpoch { own: bool },
    /// It is for another group or an earlier epoch, or there is nothing to apply it to.
    Ignored,
    /// Somebody else founded the group; a welcome has to follow.
    AwaitWelcome,
    /// It removes this member.
    Evicted,
    /// It should have been usable and is not.
    Invalid,
}

/// What became of a welcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Welcomed {
    /// The group was joined.
    Joined,
    /// There is a group already.
    Ignored,
    /// It should have been usable and is not.
    Invalid,
}

/// An MLS group from its key package on.
pub(crate) struct Group {
    session: DaveSession,
    external_sender: Vec<u8>,
    user: u64,
    channel: u64,
    proposals: usize,
    /// Whether proposals of this epoch were refused, so that its commit cannot be understood.
    refused_proposals: bool,
    own_commit: Option<Vec<u8>>,
}

impl Group {
    /// Begins a group and makes its key package. An external sender that cannot be read is left out.
    pub(crate) fn begin(
        version: u16,
        user: u64,
        channel: u64,
        identity: &Identity,
        external_sender: Option<&[u8]>,
    ) -> Result<(Group, Vec<u8>), GroupError> {
        let version = NonZeroU16::new(version).ok_or(GroupError::Refused)?;
        let session = shielded(|| DaveSession::new(version, user, channel, Some(&identity.0)))?;
        let mut group = Group {
            session: session.map_err(|_| GroupError::Broken)?,
            external_sender: Vec::new(),
            user,
            channel,
            proposals: 0,
            refused_proposals: false,
            own_commit: None,
        };
        if let Some(external_sender) = external_sender {
            match group.set_external_sender(external_sender) {
                Ok(()) | Err(GroupError::Refused) => {}
                Err(GroupError::Broken) => return Err(GroupError::Broken),
            }
        }
        let key_package = shielded(|| group.session.create_key_package())?;
        let key_package = key_package.map_err(|_| GroupError::Broken)?;
        Ok((group, key_package))
    }

    /// Sets who may propose members. Without effect once the group has others, or for the same sender
    /// again, which must not cost the proposals that wait.
    pub(crate) fn set_external_sender(&mut self, package: &[u8]) -> Result<(), GroupError> {
        if self.is_established() || self.external_sender == package {
            return Ok(());
        }
        wire::check_external_sender(package).map_err(|_| GroupError::Refused)?;
        let set = shielded(|| self.session.set_external_sender(package))?;
        // The local group is made anew or gone, and proposals with it.
        self.forget_proposals();
        match set {
            Ok(()) => {
                self.external_sender = package.to_vec();
                Ok(())
            }
            Err(error) => {
                self.external_sender.clear();
                refused("external sender", &error)
            }
        }
    }

    /// Takes in op 27, the bytes after the operation byte included. Returns op 28, if there is one to
    /// send.
    pub(crate) fn propose(&mut self, payload: &[u8]) -> Result<Option<Vec<u8>>, GroupError> {
        let (operation, vector) = payload.split_first().ok_or(GroupError::Refused)?;
        let operation = match *operation {
            APPEND => {
                let read = wire::read_proposals(vector).map_err(|_| GroupError::Refused)?;
                if read.epoch != self.raw_epoch() {
                    return Err(GroupError::Refused);
                }
                self.proposals += read.count;
                // A removal that cannot be carried out would spoil every commit of this epoch.
                let removable = read.removed.iter().all(|leaf| self.has_leaf(*leaf));
                if self.proposals > MAX_PROPOSALS || !removable {
                    self.refused_proposals = true;
                    return Err(GroupError::Refused);
                }
                ProposalsOperationType::APPEND
            }
            REVOKE => {
                wire::check_revoke(vector).map_err(|_| GroupError::Refused)?;
                ProposalsOperationType::REVOKE
            }
            _ => return Err(GroupError::Refused),
        };
        let processed = shielded(|| self.session.process_proposals(operation, vector, None))?;
        match processed {
            Ok(Some(made)) => {
                let mut message = made.commit.clone();
                message.extend_from_slice(made.welcome.as_deref().unwrap_or_default());
                self.own_commit = Some(made.commit);
                Ok(Some(message))
            }
            Ok(None) => {
                self.own_commit = None;
                Ok(None)
            }
            Err(error) => refused("proposals", &error).map(|()| None),
        }
    }

    /// Notes that proposals of the present epoch were kept from the group.
    pub(crate) fn refuse_proposals(&mut self) {
        self.refused_proposals = true;
    }

    /// Applies the commit that won.
    pub(crate) fn commit(&mut self, message: &[u8]) -> Result<Committed, GroupError> {
        let Ok(header) = wire::read_commit_header(message) else {
            return Ok(Committed::Invalid);
        };
        let epoch = self.raw_epoch();
        if header.channel != Some(self.channel) || header.epoch < epoch {
            return Ok(Committed::Ignored);
        }
        if !self.is_established() && header.epoch > epoch {
            // For a group that exists already; this member is about to be welcomed there.
            return Ok(Committed::Ignored);
        }
        let own = self.own_commit.as_deref() == Some(message);
        match shielded(|| self.session.process_commit(message))? {
            Ok(true) => self.forget_proposals(),
            Ok(false) => return Ok(Committed::Ignored),
            Err(error) => return Ok(self.commit_failed(&error)),
        }
        let active = self.session.group().is_some_and(|group| group.is_active());
        Ok(if active {
            Committed::NewEpoch { own }
        } else {
            Committed::Evicted
        })
    }

    /// Joins a group by invitation. Whatever comes of it, the key package is spent.
    pub(crate) fn welcome(&mut self, welcome: &[u8]) -> Result<Welcomed, GroupError> {
        if wire::check_welcome(welcome).is_err() {
            return Ok(Welcomed::Invalid);
        }
        match shielded(|| self.session.process_welcome(welcome, None))? {
            Ok(()) => {
                self.forget_proposals();
                Ok(Welcomed::Joined)
            }
            Err(ProcessWelcomeError::AlreadyInGroup) => Ok(Welcomed::Ignored),
            Err(error) => {
                tracing::debug!(%error, "a welcome cannot be used");
                Ok(Welcomed::Invalid)
            }
        }
    }

    /// Whether the group has, or had, others: its first epoch is private.
    pub(crate) fn is_established(&self) -> bool {
        self.raw_epoch() > 0
    }

    /// The epoch of an established group.
    pub(crate) fn epoch(&self) -> Option<u64> {
        Some(self.raw_epoch()).filter(|epoch| *epoch > 0)
    }

    /// The sender keys of all members in the present epoch.
    pub(crate) fn sender_keys(&self) -> Result<Vec<(u64, BaseKey)>, GroupError> {
        let users = self.members();
        users
            .into_iter()
            .map(|member| Ok((member.user, self.sender_key(member.user)?)))
            .collect()
    }

    /// One's own sender key in the present epoch.
    pub(crate) fn own_key(&self) -> Result<BaseKey, GroupError> {
        self.sender_key(self.user)
    }

    /// All members of an established group, ascending.
    pub(crate) fn members(&self) -> Vec<MemberIdentity> {
        let group = self.session.group().filter(|_| self.is_established());
        let mut members: Vec<MemberIdentity> = group
            .into_iter()
            .flat_map(|group| group.members())
            .filter_map(|member| {
                let identity = member.credential.serialized_content().try_into().ok()?;
                Some(MemberIdentity {
                    user: u64::from_be_bytes(identity),
                    signature_key: member.signature_key,
                })
            })
            .collect();
        members.sort_by_key(|member| member.user);
        members
    }

    /// Digits that are the same for every member in this epoch.
    pub(crate) fn privacy_code(&self) -> Option<String> {
        let group = self.session.group().filter(|_| self.is_established())?;
        privacy_code(group.epoch_authenticator().as_slice())
    }

    fn sender_key(&self, user: u64) -> Result<BaseKey, GroupError> {
        let group = self.session.group().ok_or(GroupError::Refused)?;
        let context = user.to_le_bytes();
        let secret =
            shielded(|| group.export_secret(&*CRYPTO, SENDER_KEY_LABEL, &context, SENDER_KEY_LEN))?;
        let secret = secret.map_err(|_| GroupError::Refused)?;
        let key = secret.try_into().map_err(|_| GroupError::Broken)?;
        Ok(BaseKey::new(key))
    }

    fn commit_failed(&self, error: &ProcessCommitError) -> Committed {
        tracing::debug!(%error, "a commit cannot be used");
        match error {
            ProcessCommitError::CommitBeforeWelcome => Committed::AwaitWelcome,
            ProcessCommitError::NoQueuedProposals if !self.refused_proposals => Committed::Ignored,
            _ => Committed::Invalid,
        }
    }

    fn has_leaf(&self, leaf: u32) -> bool {
        let group = self.session.group();
        group.is_some_and(|group| group.members().any(|member| member.index.u32() == leaf))
    }

    fn raw_epoch(&self) -> u64 {
        self.session.epoch().map_or(0, |epoch| epoch.as_u64())
    }

    fn forget_proposals(&mut self) {
        self.proposals = 0;
        self.refused_proposals = false;
        self.own_commit = None;
    }
}

/// Calls the library. A panic in it is no reason for the rest of the process to end.
fn shielded<T>(call: impl FnOnce() -> T) -> Result<T, GroupError> {
    // What a panic leaves half changed is dropped by the caller, unused.
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| GroupError::Broken)
}

fn refused(what: &str, error: &dyn fmt::Display) -> Result<(), GroupError> {
    tracing::debug!(%error, "{what} refused");
    Err(GroupError::Refused)
}
