//! A member: the machine under test with a sender and openers that go by its outputs.

use std::collections::BTreeMap;

use cadenza_dave::{
    Dave, DaveEvent, DaveFailure, DaveState, FrameSession, Identity, KeyRing, NotProtected,
    OpenDave, Output, Reply, SenderKeys, ServerMessage, Undecryptable,
};
use cadenza_proto::dave::{FrameOpener, OpenFrameError};

use super::gateway::{CHANNEL, Proposal, append, with_transition};

pub const SECOND: u64 = 1_000_000_000;

pub struct Client {
    pub user: u64,
    pub dave: Dave,
    pub now: u64,
    pub keys: SenderKeys,
    frames: FrameSession,
    ring: KeyRing,
    openers: BTreeMap<u64, (FrameOpener, u64)>,
    /// Replies that nobody has looked at.
    pub replies: Vec<Reply>,
    pub state: DaveState,
    pub executed: Vec<(u16, u16)>,
    pub failed: Option<DaveFailure>,
    pub identity: Identity,
}

impl Client {
    /// A member before op 4, whom the gateway announced these others.
    pub fn new(user: u64, others: &[u64]) -> Client {
        let mut client = Client {
            user,
            dave: Dave::new(),
            now: 100 * SECOND,
            keys: SenderKeys::Clear,
            frames: FrameSession::Clear,
            ring: KeyRing::default(),
            openers: BTreeMap::new(),
            replies: Vec::new(),
            state: DaveState::default(),
            executed: Vec::new(),
            failed: None,
            identity: Identity::generate(),
        };
        client.members(others, &[]);
        client
    }

    /// Op 4.
    pub fn open(&mut self, version: u16) {
        self.open_channel(version, CHANNEL);
    }

    pub fn open_channel(&mut self, version: u16, channel: u64) {
        let open = OpenDave {
            version,
            user: self.user,
            channel,
            identity: self.identity.clone(),
        };
        self.dave.open(open, self.now);
        self.pump();
    }

    pub fn close(&mut self) {
        self.dave.close();
        self.pump();
    }

    pub fn members(&mut self, joined: &[u64], left: &[u64]) {
        self.dave.members(joined, left, self.now);
        self.pump();
    }

    pub fn hear_gateway(&mut self, message: ServerMessage) {
        self.dave.message(message, self.now);
        self.pump();
    }

    pub fn propose(&mut self, proposals: &[&Proposal]) {
        self.hear_gateway(ServerMessage::Proposals(append(proposals)));
    }

    pub fn announce(&mut self, transition: u16, commit: &[u8]) {
        let payload = with_transition(transition, commit);
        self.hear_gateway(ServerMessage::Commit(payload));
    }

    pub fn welcome(&mut self, transition: u16, welcome: &[u8]) {
        let payload = with_transition(transition, welcome);
        self.hear_gateway(ServerMessage::Welcome(payload));
    }

    pub fn prepare(&mut self, transition: u16, version: u16) {
        self.hear_gateway(ServerMessage::PrepareTransition {
            transition,
            version,
        });
    }

    pub fn execute(&mut self, transition: u16) {
        self.hear_gateway(ServerMessage::ExecuteTransition { transition });
    }

    pub fn prepare_epoch(&mut self, version: u16, epoch: u64) {
        self.hear_gateway(ServerMessage::PrepareEpoch { version, epoch });
    }

    /// Lets time pass, with all timers on the way.
    pub fn wait(&mut self, nanos: u64) {
        let until = self.now + nanos;
        while let Some(due) = self.dave.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.dave.handle_timeout(self.now);
            self.pump();
            assert!(
                self.dave.poll_timeout().is_none_or(|next| next > due),
                "a timer that does not move would spin"
            );
        }
        self.now = until;
    }

    /// The replies since the last call.
    pub fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// The key package among the replies, which must be the only reply.
    pub fn take_key_package(&mut self) -> Vec<u8> {
        match self.take_replies().as_slice() {
            [Reply::KeyPackage(package)] => package.clone(),
            other => panic!("expected a key package and got {other:?}"),
        }
    }

    /// The last commit among the replies; whatever else there is may only be op 23.
    pub fn take_commit(&mut self) -> Vec<u8> {
        let mut last = None;
        for reply in self.take_replies() {
            match reply {
                Reply::Commit(commit) => last = Some(commit),
                Reply::Ready { .. } => {}
                Reply::Invalid { .. } | Reply::KeyPackage(_) => panic!("unexpected: {reply:?}"),
            }
        }
        last.expect("a commit was sent")
    }

    pub fn speak(&mut self, frame: &[u8]) -> Result<Vec<u8>, NotProtected> {
        let mut buffer = vec![0; frame.len() + 16];
        buffer[..frame.len()].copy_from_slice(frame);
        let len = self.frames.protect(&mut buffer, frame.len())?;
        buffer.truncate(len);
        Ok(buffer)
    }

    pub fn listen(&mut self, from: u64, frame: &[u8]) -> Result<Vec<u8>, OpenFrameError> {
        let mut buffer = frame.to_vec();
        let (opener, applied) = self.openers.entry(from).or_default();
        self.ring.bring_up_to_date(from, opener, applied);
        let len = opener.open(&mut buffer, self.now)?;
        buffer.truncate(len);
        Ok(buffer)
    }

    /// Says that frames under the present keys could not be opened; `opened` is how many could.
    pub fn complain(&mut self, opened: u64) {
        let keys = self.ring.serial();
        let report = Undecryptable { keys, opened };
        self.dave.undecryptable(report, self.now);
        self.pump();
    }

    fn pump(&mut self) {
        while let Some(output) = self.dave.poll_output() {
            match output {
                Output::Event(DaveEvent::Send(reply)) => self.replies.push(reply),
                Output::Event(DaveEvent::State(state)) => self.state = state,
                Output::Event(DaveEvent::Executed {
                    transition,
                    version,
                }) => self.executed.push((transition, version)),
                Output::Event(DaveEvent::Failed(failure)) => {
                    assert_eq!(self.failed.replace(failure), None, "it fails once");
                }
                Output::Sender(keys) => {
                    self.keys = keys;
                    self.frames = FrameSession::new(keys);
                }
                Output::Keys(ring) => self.ring = ring,
            }
        }
    }
}
