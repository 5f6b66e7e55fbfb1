//! What the voice gateway says to the group, and what the group answers.

/// A message of the voice gateway, in the order in which it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServerMessage {
    /// Op 21: a change of protocol version is coming.
    PrepareTransition {
        /// Names the transition; 0 is executed at once.
        transition: u16,
        /// The version from then on.
        version: u16,
    },
    /// Op 22: everybody is ready; senders switch.
    ExecuteTransition {
        /// The transition.
        transition: u16,
    },
    /// Op 24: a new group (epoch 1), or another version within the group.
    PrepareEpoch {
        /// The version of the coming epoch.
        version: u16,
        /// The coming epoch.
        epoch: u64,
    },
    /// Op 25, the bytes after the opcode: who may propose members.
    ExternalSender(Vec<u8>),
    /// Op 27, the bytes after the opcode: members to add or to remove.
    Proposals(Vec<u8>),
    /// Op 29, the bytes after the opcode: the commit that won.
    Commit(Vec<u8>),
    /// Op 30, the bytes after the opcode: an invitation into the group.
    Welcome(Vec<u8>),
}

impl ServerMessage {
    /// Bytes that travel with it; for limits on what waits.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        match self {
            ServerMessage::PrepareTransition { .. }
            | ServerMessage::ExecuteTransition { .. }
            | ServerMessage::PrepareEpoch { .. } => 0,
            ServerMessage::ExternalSender(bytes)
            | ServerMessage::Proposals(bytes)
            | ServerMessage::Commit(bytes)
            | ServerMessage::Welcome(bytes) => bytes.len(),
        }
    }
}

/// What goes back to the voice gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Op 23: ready for a transition. Never for transition 0.
    Ready {
        /// The transition.
        transition: u16,
    },
    /// Op 31: a commit or a welcome could not be used; a new key package follows.
    Invalid {
        /// Its transition.
        transition: u16,
    },
    /// Op 26, the bytes after the opcode.
    KeyPackage(Vec<u8>),
    /// Op 28, the bytes after the opcode: a commit, and a welcome if it adds members.
    Commit(Vec<u8>),
}
