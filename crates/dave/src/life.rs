//! One session's life: its group, the transitions that are prepared, and what the sender does.

use std::collections::BTreeMap;

use cadenza_proto::dave::BaseKey;

use crate::NO_ENCRYPTION;
use crate::frames::SenderKeys;
use crate::group::{Group, Identity};
use crate::recovery::Recovery;

/// Transitions that may be prepared at once; a gateway needs one or two.
const MAX_TRANSITIONS: usize = 64;

/// What a session begins with.
#[derive(Clone, Debug)]
pub struct OpenDave {
    /// The version that the gateway chose; 0 is no encryption.
    pub version: u16,
    /// The bot's user id.
    pub user: u64,
    /// The channel's id, which is the group's.
    pub channel: u64,
    /// The bot's signature keys.
    pub identity: Identity,
}

/// A transition that was prepared and not executed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Staged {
    pub(crate) version: u16,
    /// The own sender key of the epoch that it leads to, if it leads to one.
    pub(crate) key: Option<BaseKey>,
    serial: u64,
}

/// Everything that ends with the session.
pub(crate) struct Life {
    pub(crate) open: OpenDave,
    /// The version in force.
    pub(crate) version: u16,
    pub(crate) group: Option<Group>,
    pub(crate) sender: SenderKeys,
    /// The key that the sender had last. Keys are never used twice, because nonces start at 1.
    last_key: Option<BaseKey>,
    staged: BTreeMap<u16, Staged>,
    next_serial: u64,
    /// The transition that was prepared last.
    pub(crate) last_transition: u16,
    /// Whether the gateway began a new group that nobody else is in yet.
    pub(crate) restarted: bool,
    pub(crate) recovery: Recovery,
    /// When to recover from something wrong with this transition.
    pub(crate) recover_at: Option<(u64, u16)>,
    /// By when a welcome has to come after somebody else founded the group, and in which transition.
    pub(crate) welcome_by: Option<(u64, u16)>,
    /// By when the group has to be joined.
    pub(crate) join_by: Option<u64>,
    pub(crate) failed: bool,
}

impl Life {
    pub(crate) fn new(open: OpenDave) -> Life {
        let version = open.version;
        let sender = match version {
            NO_ENCRYPTION => SenderKeys::Clear,
            _ => SenderKeys::Hold,
        };
        Life {
            open,
            version,
            group: None,
            sender,
            last_key: None,
            staged: BTreeMap::new(),
            next_serial: 0,
            last_transition: 0,
            restarted: false,
            recovery: Recovery::default(),
            recover_at: None,
            welcome_by: None,
            join_by: None,
            failed: false,
        }
    }

    /// Whether the group has others in it.
    pub(crate) fn is_established(&self) -> bool {
        self.group.as_ref().is_some_and(Group::is_established)
    }

    /// Whether the group stands, and nothing about it is about to change.
    pub(crate) fn is_settled(&self) -> bool {
        self.version != NO_ENCRYPTION
            && self.is_established()
            && self.staged.is_empty()
            && self.recover_at.is_none()
            && !self.failed
    }

    /// Prepares a transition. A key that an earlier message staged for it stays.
    pub(crate) fn stage(&mut self, transition: u16, version: u16, key: Option<BaseKey>) {
        let former = self.staged.remove(&transition);
        if self.staged.len() >= MAX_TRANSITIONS {
            self.drop_oldest();
        }
        let staged = Staged {
            version,
            key: key.or(former.and_then(|former| former.key)),
            serial: self.next_serial,
        };
        self.next_serial += 1;
        self.last_transition = transition;
        self.staged.insert(transition, staged);
    }

    /// Takes a prepared transition, and drops those that it has overtaken.
    pub(crate) fn unstage(&mut self, transition: u16) -> Option<Staged> {
        let staged = self.staged.remove(&transition)?;
        self.staged.retain(|_, other| other.serial > staged.serial);
        Some(staged)
    }

    /// Switches the sender; `None` when it stays as it is.
    pub(crate) fn switch_sender(&mut self, sender: SenderKeys) -> Option<SenderKeys> {
        let sender = match sender {
            SenderKeys::Keyed(_) if sender == self.sender => return None,
            SenderKeys::Keyed(key) if self.last_key == Some(key) => SenderKeys::Hold,
            SenderKeys::Clear | SenderKeys::Hold | SenderKeys::Keyed(_) => sender,
        };
        if let SenderKeys::Keyed(key) = sender {
            self.last_key = Some(key);
        }
        let changed = sender != self.sender;
        self.sender = sender;
        changed.then_some(sender)
    }

    /// Whether sound may be sent.
    pub(crate) fn is_ready(&self) -> bool {
        self.sender != SenderKeys::Hold
    }

    fn drop_oldest(&mut self) {
        let oldest = self.staged.iter().min_by_key(|(_, staged)| staged.serial);
        if let Some(oldest) = oldest.map(|(transition, _)| *transition) {
            self.staged.remove(&oldest);
        }
    }
}
