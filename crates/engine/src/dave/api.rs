//! What can be asked of a flow's end-to-end encryption.

use cadenza_dave::{FrameSession, MAX_VERSION, MemberIdentity, NO_ENCRYPTION, ServerMessage};

use super::CodeError;
use super::call::{DaveEntry, Job};
use super::opener::{Alarm, DaveOpener};
use super::status::DaveStatus;
use crate::engine::Engine;
use crate::pacer::Command;
use crate::receive::ListenCommand;
use crate::{EngineError, FlowId};

/// A session that begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DaveTarget {
    /// The version of the session description; 0 is no encryption.
    pub version: u16,
    /// The bot's user id.
    pub user: u64,
    /// The channel's id. A wrong one makes a group that nobody else is in.
    pub channel: u64,
}

impl Engine {
    /// A session begins: a new group, if its version is not 0. From this call on nothing but silence
    /// frames leaves the flow until there is a key; so it belongs before
    /// [`start_session`](Engine::start_session). What comes of it arrives as events.
    ///
    /// # Errors
    /// [`EngineError::DaveVersion`] for a version that is not spoken, [`EngineError::Busy`], and those
    /// of an unknown flow.
    pub fn dave_open(&self, flow: FlowId, target: DaveTarget) -> Result<(), EngineError> {
        if target.version > MAX_VERSION {
            return Err(EngineError::DaveVersion);
        }
        let opener = self.control.with(|table, _| {
            let (entry, pacer) = table.flow(flow)?;
            let frames = match target.version {
                NO_ENCRYPTION => FrameSession::Clear,
                _ => FrameSession::Hold,
            };
            let place = entry.place;
            pacer.send(Command::Frames { place, frames })?;
            let dave = entry.dave.get_or_insert_with(|| DaveEntry::new(flow));
            dave.life += 1;
            let life = dave.life;
            dave.call.begin(target.version);
            let opener = DaveOpener::new(Alarm::new(&dave.call, &self.dave));
            self.dave.post(&dave.call, Job::Open { life, target });
            Ok(opener)
        })?;
        let command = ListenCommand::Media(Box::new(opener));
        self.receive().listen(flow, command);
        Ok(())
    }

    /// Hands over a message of the voice gateway, in the order in which it came. An external sender
    /// (op 25) that comes before a session is open is kept for it.
    pub fn dave_message(&self, flow: FlowId, message: ServerMessage) {
        self.dave_post(flow, Job::Message(message));
    }

    /// Users came and went; this may come before a session is open.
    pub fn dave_members(&self, flow: FlowId, joined: Vec<u64>, left: Vec<u64>) {
        self.dave_post(flow, Job::Members { joined, left });
    }

    /// The session is over: its group is forgotten, and a flow that was encrypted stays silent until
    /// the next one is open.
    pub fn dave_close(&self, flow: FlowId) {
        self.control.with(|table, _| {
            let Ok((entry, pacer)) = table.flow(flow) else {
                return;
            };
            let place = entry.place;
            let Some(dave) = &mut entry.dave else { return };
            dave.life += 1;
            if dave.call.was_encrypted() {
                // Refused only while the pacer is far behind; the worker then says it again.
                let frames = FrameSession::Hold;
                let _ = pacer.send(Command::Frames { place, frames });
            }
            let life = dave.life;
            self.dave.post(&dave.call, Job::Close { life });
        });
    }

    /// State and counters of a flow's encryption; `None` when it was never opened.
    pub fn dave_status(&self, flow: FlowId) -> Option<DaveStatus> {
        self.control.with(|table, _| {
            let (entry, _) = table.flow(flow).ok()?;
            let dave = entry.dave.as_ref()?;
            let status = dave.call.status();
            Some(DaveStatus {
                frames_encrypted: entry.shared.frames_encrypted.value(),
                frames_held: entry.shared.frames_held.value(),
                silence_sent: entry.shared.silence_sent.value(),
                ..status
            })
        })
    }

    /// The two identities whose [`verification_code`](super::verification_code) people compare: the
    /// bot's and another member's.
    ///
    /// # Errors
    /// [`CodeError::NotAMember`].
    pub fn dave_identities(
        &self,
        flow: FlowId,
        user: u64,
    ) -> Result<(MemberIdentity, MemberIdentity), CodeError> {
        let status = self.dave_status(flow).ok_or(CodeError::NotAMember)?;
        let member = |user: u64| {
            let members = &status.state.members;
            members.iter().find(|member| member.user == user).cloned()
        };
        match (member(status.user), member(user)) {
            (Some(own), Some(other)) if own.user != other.user => Ok((own, other)),
            _ => Err(CodeError::NotAMember),
        }
    }

    fn dave_post(&self, flow: FlowId, job: Job) {
        self.control.with(|table, _| {
            if let Ok((entry, _)) = table.flow(flow) {
                let dave = entry.dave.get_or_insert_with(|| DaveEntry::new(flow));
                self.dave.post(&dave.call, job);
            }
        });
    }
}
