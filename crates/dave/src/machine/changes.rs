//! What changes in a session: epochs that begin, transitions that are executed, groups begun anew.

use super::{Dave, Output};
use crate::distress::{Answer, Undecryptable};
use crate::event::{DaveEvent, DaveFailure};
use crate::frames::SenderKeys;
use crate::group::Group;
use crate::key_ring::ClearFrames;
use crate::life::OpenDave;
use crate::message::Reply;
use crate::recovery::Step;
use crate::{MAX_VERSION, NO_ENCRYPTION};

impl Dave {
    /// Frames of a member cannot be opened although the group stands: join it anew, within limits.
    /// What was counted under other keys than the present ones means nothing.
    pub fn undecryptable(&mut self, report: Undecryptable, now_ns: u64) {
        let Some(life) = &self.life else { return };
        let transition = life.last_transition;
        if !life.is_settled() || report.keys != self.ring.serial() {
            return;
        }
        match self.distress.ask(report.opened, now_ns) {
            Answer::Wait => {}
            Answer::Recover => self.recover(transition, now_ns),
            Answer::GiveUp => self.fail(DaveFailure::Undecryptable),
        }
        self.finish(now_ns);
    }

    /// Openers learn the new epoch's keys at once, the sender when the transition is executed.
    pub(super) fn new_epoch(&mut self, transition: u16, now_ns: u64) {
        let Some(life) = &mut self.life else { return };
        let Some(group) = &life.group else { return };
        let (Ok(mut keys), Ok(own)) = (group.sender_keys(), group.own_key()) else {
            return self.fail(DaveFailure::LibraryFailed);
        };
        keys.retain(|(user, _)| *user != life.open.user);
        self.ring.begin_epoch(&keys, now_ns);
        self.ring_changed = true;
        life.restarted = false;
        life.welcome_by = None;
        life.stage(transition, MAX_VERSION, Some(own));
        self.answer_prepared(transition, now_ns);
    }

    pub(super) fn answer_prepared(&mut self, transition: u16, now_ns: u64) {
        if transition == 0 {
            self.execute(transition, now_ns);
        } else {
            self.reply(Reply::Ready { transition });
        }
    }

    pub(super) fn execute(&mut self, transition: u16, now_ns: u64) {
        let Some(life) = &mut self.life else { return };
        let Some(staged) = life.unstage(transition) else {
            self.counters.ignored += 1;
            return;
        };
        // Some gateways call the new group of a sole member version 0; nobody is there to hear it.
        let sole_member = transition == 0 && std::mem::take(&mut life.restarted);
        let version = match staged.version {
            NO_ENCRYPTION if sole_member => MAX_VERSION,
            version => version,
        };
        life.version = version;
        let sender = if version == NO_ENCRYPTION {
            life.group = None;
            SenderKeys::Clear
        } else {
            let group = life.group.as_ref().filter(|group| group.is_established());
            let present = || group.and_then(|group| group.own_key().ok());
            let key = staged.key.or_else(present);
            key.map_or(SenderKeys::Hold, SenderKeys::Keyed)
        };
        if let Some(sender) = life.switch_sender(sender) {
            self.outputs.push_back(Output::Sender(sender));
        }
        if version == NO_ENCRYPTION {
            self.ring.end_epochs(now_ns);
            self.ring.set_clear(ClearFrames::Allowed);
        } else {
            self.ring.refuse_clear(now_ns);
        }
        self.ring_changed = true;
        self.counters.transitions += 1;
        self.event(DaveEvent::Executed {
            transition,
            version,
        });
    }

    /// Something that should have been usable is not: tell the gateway and join anew, within limits.
    pub(super) fn recover(&mut self, transition: u16, now_ns: u64) {
        let Some(life) = &mut self.life else { return };
        match life.recovery.ask(now_ns) {
            Step::Now => self.start_anew(transition),
            Step::At(at) => {
                life.group = None;
                life.welcome_by = None;
                life.recover_at = Some((at, transition));
            }
            Step::GiveUp => self.fail(DaveFailure::RecoveryExhausted),
        }
    }

    pub(super) fn start_anew(&mut self, transition: u16) {
        self.counters.recoveries += 1;
        self.reply(Reply::Invalid { transition });
        self.begin_group(MAX_VERSION);
    }

    pub(super) fn begin_group(&mut self, version: u16) {
        let Some(life) = &mut self.life else { return };
        if version > MAX_VERSION {
            return self.fail(DaveFailure::VersionUnsupported);
        }
        life.welcome_by = None;
        life.join_by = None;
        let OpenDave { user, channel, .. } = life.open;
        let sender = self.external_sender.as_deref();
        match Group::begin(version, user, channel, &life.open.identity, sender) {
            Ok((group, key_package)) => {
                life.group = Some(group);
                self.counters.key_packages += 1;
                self.reply(Reply::KeyPackage(key_package));
            }
            Err(_) => self.fail(DaveFailure::LibraryFailed),
        }
    }
}
