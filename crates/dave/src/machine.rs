//! The client's side of DAVE as a machine without clock, thread or socket: messages and times in,
//! replies, keys and news out.

mod changes;

use std::collections::{BTreeSet, VecDeque};

use crate::distress::Distress;
use crate::event::{DaveCounters, DaveEvent, DaveFailure, DaveState};
use crate::frames::SenderKeys;
use crate::group::{Committed, Group, GroupError, Welcomed};
use crate::key_ring::{ClearFrames, KeyRing};
use crate::life::{Life, OpenDave};
use crate::message::{Reply, ServerMessage};
use crate::{MAX_VERSION, NO_ENCRYPTION, wire};

const MILLI_NS: u64 = 1_000_000;
/// How long proposals wait for the announcement (op 11) of a user whom they add.
const ANNOUNCEMENT_NS: u64 = 500 * MILLI_NS;
/// How long a welcome may take after somebody else's commit founded the group.
const WELCOME_NS: u64 = 2_000 * MILLI_NS;
/// How long joining a group may take once others are there.
const JOIN_NS: u64 = 20_000 * MILLI_NS;
/// Users that are kept as announced; more than any channel has.
const MAX_ANNOUNCED: usize = 16_384;
/// Messages that wait behind proposals whose users are not announced yet.
const MAX_PARKED: usize = 256;
/// The longest message that is looked at, in bytes: about two thousand members to add.
const MAX_MESSAGE: usize = 1 << 20;
const FIRST_EPOCH: u64 = 1;
const APPEND: u8 = 0;

/// Something to be done by the machine's owner, in order.
#[derive(Debug)]
pub enum Output {
    /// To be told.
    Event(DaveEvent),
    /// The sender does this from here on.
    Sender(SenderKeys),
    /// Whoever opens frames goes by these keys from here on.
    Keys(KeyRing),
}

/// The end-to-end encryption of one call, over all its sessions.
#[derive(Default)]
pub struct Dave {
    /// Users whom the gateway announced. The own user need not be among them.
    announced: BTreeSet<u64>,
    /// Op 25 as it came, kept for every group of this session.
    external_sender: Option<Vec<u8>>,
    life: Option<Life>,
    /// Messages that wait, the first of them for the announcement of a user.
    parked: VecDeque<ServerMessage>,
    parked_until_ns: u64,
    ring: KeyRing,
    ring_changed: bool,
    told: Option<DaveState>,
    /// Outlasts sessions, so that no rubbish makes one follow the other.
    distress: Distress,
    counters: DaveCounters,
    outputs: VecDeque<Output>,
}

impl Dave {
    /// A call without a session.
    #[must_use]
    pub fn new() -> Dave {
        Dave::default()
    }

    /// A session begins (op 4): a new group, if it is encrypted. Nothing but silence may be sent
    /// from before this call on until a key is given out.
    pub fn open(&mut self, open: OpenDave, now_ns: u64) {
        let version = open.version;
        self.ring = self.ring.emptied();
        self.ring_changed = true;
        let clear = match version {
            NO_ENCRYPTION => ClearFrames::Allowed,
            _ => ClearFrames::Refused,
        };
        self.ring.set_clear(clear);
        let life = Life::new(open);
        self.outputs.push_back(Output::Sender(life.sender));
        self.life = Some(life);
        self.told = None;
        if version != NO_ENCRYPTION {
            self.begin_group(version);
        }
        self.finish(now_ns);
    }

    /// The session is over. Everything known about it is forgotten; an encrypted call's sender holds.
    pub fn close(&mut self) {
        self.announced.clear();
        self.external_sender = None;
        self.parked.clear();
        self.ring = self.ring.emptied();
        self.ring_changed = false;
        self.told = None;
        self.outputs.clear();
        self.outputs.push_back(Output::Keys(KeyRing::default()));
        if let Some(life) = self.life.take()
            && life.open.version.max(life.version) != NO_ENCRYPTION
        {
            self.outputs.push_back(Output::Sender(SenderKeys::Hold));
        }
    }

    /// Users came (ops 11 and 12) and went (op 13). May be called before a session is open.
    pub fn members(&mut self, joined: &[u64], left: &[u64], now_ns: u64) {
        let room = MAX_ANNOUNCED.saturating_sub(self.announced.len());
        self.announced.extend(joined.iter().take(room));
        for user in left {
            self.announced.remove(user);
            if self.ring.knows(*user) {
                self.ring.leave(*user, now_ns);
                self.ring_changed = true;
            }
        }
        self.unpark(now_ns);
        self.finish(now_ns);
    }

    /// Takes in a message of the gateway. Only op 25 has a meaning before a session is open.
    pub fn message(&mut self, message: ServerMessage, now_ns: u64) {
        if message.payload_len() > MAX_MESSAGE {
            self.counters.ignored += 1;
        } else if self.parked.is_empty() {
            self.take(message, true, now_ns);
        } else if self.parked.len() < MAX_PARKED {
            self.parked.push_back(message);
        } else {
            self.fail(DaveFailure::Overloaded);
        }
        self.finish(now_ns);
    }

    /// Two batches of proposals that came one behind the other as one, so that one commit does for
    /// both. `None` where they have to be taken one by one.
    #[must_use]
    pub fn merge_proposals(&self, first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
        let waits = !self.parked.is_empty();
        if waits || self.adds_unannounced(first) || self.adds_unannounced(second) {
            return None;
        }
        let ((&APPEND, first), (&APPEND, second)) = (first.split_first()?, second.split_first()?)
        else {
            return None;
        };
        let mut merged = vec![APPEND];
        wire::join_proposals(first, second, &mut merged).ok()?;
        (merged.len() <= MAX_MESSAGE).then_some(merged)
    }

    /// Ends the session for a reason that its owner found.
    pub fn give_up(&mut self, failure: DaveFailure) {
        self.fail(failure);
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now_ns: u64) {
        if !self.parked.is_empty() && now_ns >= self.parked_until_ns {
            if let Some(message) = self.parked.pop_front() {
                self.take(message, false, now_ns);
            }
            self.unpark(now_ns);
        }
        if let Some(life) = &mut self.life {
            if let Some((_, transition)) = life.recover_at.take_if(|(at, _)| *at <= now_ns) {
                self.start_anew(transition);
            } else if let Some((_, transition)) = life.welcome_by.take_if(|(at, _)| *at <= now_ns) {
                self.recover(transition, now_ns);
            } else if life.join_by.take_if(|at| *at <= now_ns).is_some() {
                self.fail(DaveFailure::JoinTimeout);
            }
        }
        self.finish(now_ns);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let parked = (!self.parked.is_empty()).then_some(self.parked_until_ns);
        let life = self.life.as_ref().filter(|life| !life.failed);
        let due = life.into_iter().flat_map(|life| {
            let recover = life.recover_at.map(|(at, _)| at);
            let welcome = life.welcome_by.map(|(at, _)| at);
            [recover, welcome, life.join_by]
        });
        due.chain([parked]).flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What was told last about the present session.
    #[must_use]
    pub fn state(&self) -> DaveState {
        self.told.clone().unwrap_or_default()
    }

    /// What the group did so far, over all sessions.
    #[must_use]
    pub fn counters(&self) -> DaveCounters {
        self.counters
    }

    fn take(&mut self, message: ServerMessage, patient: bool, now_ns: u64) {
        if let ServerMessage::ExternalSender(package) = message {
            self.on_external_sender(package);
            return;
        }
        if self.life.as_ref().is_none_or(|life| life.failed) {
            self.counters.ignored += 1;
            return;
        }
        match message {
            ServerMessage::ExternalSender(_) => {}
            ServerMessage::PrepareTransition {
                transition,
                version,
            } => self.on_prepare_transition(transition, version, now_ns),
            ServerMessage::ExecuteTransition { transition } => self.execute(transition, now_ns),
            ServerMessage::PrepareEpoch { version, epoch } => {
                self.on_prepare_epoch(version, epoch);
            }
            ServerMessage::Proposals(payload) => self.on_proposals(payload, patient, now_ns),
            ServerMessage::Commit(payload) => self.on_commit(&payload, now_ns),
            ServerMessage::Welcome(payload) => self.on_welcome(&payload, now_ns),
        }
    }

    fn on_external_sender(&mut self, package: Vec<u8>) {
        if let Some(group) = self.life.as_mut().and_then(|life| life.group.as_mut()) {
            match group.set_external_sender(&package) {
                Ok(()) => {}
                Err(GroupError::Refused) => self.counters.ignored += 1,
                Err(GroupError::Broken) => self.fail(DaveFailure::LibraryFailed),
            }
        }
        self.external_sender = Some(package);
    }

    fn on_prepare_transition(&mut self, transition: u16, version: u16, now_ns: u64) {
        let Some(life) = &mut self.life else { return };
        if version > MAX_VERSION {
            return self.fail(DaveFailure::VersionUnsupported);
        }
        life.stage(transition, version, None);
        let ends_encryption = version == NO_ENCRYPTION && !(transition == 0 && life.restarted);
        if ends_encryption {
            self.ring.set_clear(ClearFrames::Allowed);
        } else {
            self.ring.refuse_clear(now_ns);
        }
        self.ring_changed = true;
        self.answer_prepared(transition, now_ns);
    }

    fn on_prepare_epoch(&mut self, version: u16, epoch: u64) {
        let Some(life) = &mut self.life else { return };
        if version > MAX_VERSION {
            return self.fail(DaveFailure::VersionUnsupported);
        }
        // A later epoch would change the version within the group; there is but one version.
        if epoch != FIRST_EPOCH {
            return;
        }
        life.welcome_by = None;
        life.recover_at = None;
        if version == NO_ENCRYPTION {
            life.group = None;
            return;
        }
        // Sender and openers go on with what they have until the transition is executed.
        life.restarted = true;
        self.begin_group(version);
    }

    fn on_proposals(&mut self, payload: Vec<u8>, patient: bool, now_ns: u64) {
        if self.adds_unannounced(&payload) {
            if patient {
                self.parked.push_front(ServerMessage::Proposals(payload));
                self.parked_until_ns = now_ns.saturating_add(ANNOUNCEMENT_NS);
                return;
            }
            self.counters.unknown_users += 1;
            if let Some(group) = self.life.as_mut().and_then(|life| life.group.as_mut()) {
                group.refuse_proposals();
            }
            return;
        }
        let group = self.life.as_mut().and_then(|life| life.group.as_mut());
        match group.map_or(Err(GroupError::Refused), |group| group.propose(&payload)) {
            Ok(Some(commit)) => {
                self.counters.commits_sent += 1;
                self.reply(Reply::Commit(commit));
            }
            Ok(None) => {}
            Err(GroupError::Refused) => self.counters.ignored += 1,
            Err(GroupError::Broken) => self.fail(DaveFailure::LibraryFailed),
        }
    }

    fn on_commit(&mut self, payload: &[u8], now_ns: u64) {
        let Some((transition, message)) = split_transition(payload) else {
            self.counters.ignored += 1;
            return;
        };
        let Some(life) = &mut self.life else { return };
        let Some(group) = &mut life.group else {
            self.counters.ignored += 1;
            return;
        };
        match group.commit(message) {
            Ok(Committed::NewEpoch { own }) => {
                self.counters.commits_won += u64::from(own);
                self.counters.commits_applied += u64::from(!own);
                self.new_epoch(transition, now_ns);
            }
            Ok(Committed::Ignored) => self.counters.ignored += 1,
            Ok(Committed::AwaitWelcome) => {
                self.counters.ignored += 1;
                life.welcome_by = Some((now_ns.saturating_add(WELCOME_NS), transition));
            }
            Ok(Committed::Evicted) => {
                let version = life.open.version.max(life.version).max(1);
                self.begin_group(version);
            }
            Ok(Committed::Invalid) => self.recover(transition, now_ns),
            Err(_) => self.fail(DaveFailure::LibraryFailed),
        }
    }

    fn on_welcome(&mut self, payload: &[u8], now_ns: u64) {
        let Some((transition, welcome)) = split_transition(payload) else {
            self.counters.ignored += 1;
            return;
        };
        let group = self.life.as_mut().and_then(|life| life.group.as_mut());
        match group.map_or(Ok(Welcomed::Ignored), |group| group.welcome(welcome)) {
            Ok(Welcomed::Joined) => {
                self.counters.welcomes += 1;
                self.new_epoch(transition, now_ns);
            }
            Ok(Welcomed::Ignored) => self.counters.ignored += 1,
            Ok(Welcomed::Invalid) => self.recover(transition, now_ns),
            Err(_) => self.fail(DaveFailure::LibraryFailed),
        }
    }

    fn fail(&mut self, failure: DaveFailure) {
        let Some(life) = self.life.as_mut().filter(|life| !life.failed) else {
            return;
        };
        life.failed = true;
        life.group = None;
        self.parked.clear();
        self.event(DaveEvent::Failed(failure));
    }

    /// Goes on with what waited for an announcement, as far as it can.
    fn unpark(&mut self, now_ns: u64) {
        while let Some(message) = self.parked.pop_front() {
            let waiting = matches!(&message, ServerMessage::Proposals(payload) if self.adds_unannounced(payload));
            if waiting {
                if now_ns >= self.parked_until_ns {
                    self.parked_until_ns = now_ns.saturating_add(ANNOUNCEMENT_NS);
                }
                self.parked.push_front(message);
                return;
            }
            self.take(message, false, now_ns);
        }
    }

    /// Whether these proposals add somebody whom the gateway has not announced.
    fn adds_unannounced(&self, payload: &[u8]) -> bool {
        let Some((&APPEND, vector)) = payload.split_first() else {
            return false;
        };
        let own = self.life.as_ref().map(|life| life.open.user);
        wire::read_proposals(vector).is_ok_and(|proposals| {
            let mut added = proposals.added.iter();
            added.any(|user| Some(*user) != own && !self.announced.contains(user))
        })
    }

    /// Tells what has changed by the latest input.
    fn finish(&mut self, now_ns: u64) {
        self.watch_joining(now_ns);
        if std::mem::take(&mut self.ring_changed) {
            self.outputs.push_back(Output::Keys(self.ring.clone()));
        }
        let Some(life) = &self.life else { return };
        let group = life.group.as_ref();
        let state = DaveState {
            version: life.version,
            ready: life.is_ready(),
            epoch: group.and_then(Group::epoch),
            members: group.map(Group::members).unwrap_or_default(),
            privacy_code: group.and_then(Group::privacy_code),
        };
        if self.told.as_ref() != Some(&state) {
            self.told = Some(state.clone());
            self.event(DaveEvent::State(state));
        }
    }

    /// With others around, the group has to be joined in time.
    fn watch_joining(&mut self, now_ns: u64) {
        let Some(life) = &mut self.life else { return };
        let joining = life.group.is_some() && !life.is_established() && !life.failed;
        let own = life.open.user;
        if joining && self.announced.iter().any(|user| *user != own) {
            life.join_by.get_or_insert(now_ns.saturating_add(JOIN_NS));
        } else {
            life.join_by = None;
        }
    }

    fn reply(&mut self, reply: Reply) {
        self.event(DaveEvent::Send(reply));
    }

    fn event(&mut self, event: DaveEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// The transition's id, which comes before a commit or a welcome.
fn split_transition(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (id, rest) = payload.split_first_chunk()?;
    Some((u16::from_be_bytes(*id), rest))
}
