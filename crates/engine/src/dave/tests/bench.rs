//! A flow's group driven by hand, with a pacer that takes commands when told to, and a member played
//! by davey.

use std::cell::RefCell;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cadenza_dave::{DaveEvent, Reply, ServerMessage};
use davey::{DaveSession, ProposalsOperationType};
use rtrb::{Consumer, RingBuffer};

use super::kind_of;
use super::support::gateway::{CHANNEL, Gateway, append, with_transition};
use crate::control::{Control, PacerPort, command_capacity};
use crate::dave::DaveTarget;
use crate::dave::call::{DaveCall, DaveEntry, Job};
use crate::dave::opener::{Alarm, DaveOpener};
use crate::dave::pool::{DaveThreads, Identities};
use crate::event::EventQueue;
use crate::pacer::{Command, PacerWaker};
use crate::transport::UdpHandle;
use crate::{Engine, EngineConfig, EngineEvent, FlowId};

pub const SECOND: u64 = 1_000_000_000;
pub const OURS: u64 = 158_049_329_150_427_136;
pub const PEER: u64 = 158_533_742_254_751_744;
pub const THIRD: u64 = 160_000_000_000_000_001;
const MAX_FLOWS: usize = 4;

/// One flow without threads.
pub struct Bench {
    pub call: Arc<DaveCall>,
    pub gateway: Gateway,
    pub now_ns: u64,
    control: Arc<Control>,
    commands: Consumer<Command<UdpHandle>>,
    threads: DaveThreads,
    identities: Identities,
    due_ns: Option<u64>,
}

impl Bench {
    pub fn new() -> Bench {
        let (producer, commands) = RingBuffer::new(command_capacity(MAX_FLOWS));
        let port = PacerPort::new(producer, PacerWaker::of_nobody(), Arc::default(), MAX_FLOWS);
        let events = EventQueue::new(4_096, Arc::new(|| {}));
        let control = Arc::new(Control::new(vec![port], 1, events));
        let flow = control.create_flow(None).expect("there is room");
        let call = control.with(|table, _| {
            let (entry, _) = table.flow(flow).expect("it was created");
            let dave = entry.dave.insert(DaveEntry::new(flow));
            dave.life = 1;
            Arc::clone(&dave.call)
        });
        Bench {
            call,
            gateway: Gateway::new(),
            now_ns: 100 * SECOND,
            threads: DaveThreads::start(0, &control).expect("nothing is started"),
            control,
            commands,
            identities: Identities::default(),
            due_ns: None,
        }
    }

    /// A group of two that the other member founded.
    pub fn with_peer() -> (Bench, Peer) {
        let mut bench = Bench::new();
        let mut peer = Peer::begin(PEER);
        bench.join(&mut peer);
        (bench, peer)
    }

    /// Op 30: the other member has founded the group and lets us in.
    pub fn join(&mut self, peer: &mut Peer) {
        self.announce(PEER);
        let sender = self.gateway.external_sender();
        self.job(Job::Message(ServerMessage::ExternalSender(sender)));
        self.open(1);
        let replies = self.replies();
        let [Reply::KeyPackage(package)] = replies.as_slice() else {
            panic!("expected a key package and got {replies:?}");
        };
        self.gateway.take_key_package(OURS, package.clone());
        let package = peer.key_package();
        self.gateway.take_key_package(PEER, package);
        self.add(peer, OURS, 0);
    }

    /// Somebody joins and leaves no trace but another epoch.
    pub fn change_epoch(&mut self, peer: &mut Peer) {
        let mut third = Peer::begin(THIRD);
        let package = third.key_package();
        self.gateway.take_key_package(THIRD, package);
        self.announce(THIRD);
        self.add(peer, THIRD, 0);
    }

    /// The peer commits to an Add; everybody hears of it.
    fn add(&mut self, peer: &mut Peer, user: u64, transition: u16) {
        let add = self.gateway.add(user);
        let proposals = append(&[&add]);
        let op28 = peer.commit(&proposals);
        let accepted = self.gateway.accept(PEER, &op28);
        let message = match accepted.welcomes.get(&OURS) {
            Some(welcome) => ServerMessage::Welcome(with_transition(transition, welcome)),
            None => {
                self.job(Job::Message(ServerMessage::Proposals(proposals)));
                ServerMessage::Commit(with_transition(transition, &accepted.commit))
            }
        };
        self.job(Job::Message(message));
        self.run();
        peer.apply(&accepted.commit, transition);
        self.events();
    }

    pub fn announce(&mut self, user: u64) {
        let (joined, left) = (vec![user], Vec::new());
        self.job(Job::Members { joined, left });
    }

    /// Op 4.
    pub fn open(&mut self, version: u16) {
        let target = DaveTarget {
            version,
            user: OURS,
            channel: CHANNEL,
        };
        self.job(Job::Open { life: 1, target });
        self.run();
    }

    /// Ops 21 and 22.
    pub fn transition(&mut self, transition: u16, version: u16) {
        let prepare = ServerMessage::PrepareTransition {
            transition,
            version,
        };
        self.job(Job::Message(prepare));
        let execute = ServerMessage::ExecuteTransition { transition };
        self.job(Job::Message(execute));
        self.run();
    }

    pub fn job(&mut self, job: Job) {
        self.call.push(job);
    }

    /// Does everything that waits, as a worker would.
    pub fn run(&mut self) {
        loop {
            self.due_ns = self.call.run(self.now_ns, &self.control, &self.identities);
            if self.call.rest() {
                break;
            }
        }
    }

    /// Lets time pass, with the timers on the way; the pacer takes what waits for it at the first.
    pub fn wait(&mut self, nanos: u64) {
        let until_ns = self.now_ns + nanos;
        self.take_commands();
        while let Some(due_ns) = self.due_ns.filter(|due_ns| *due_ns <= until_ns) {
            self.now_ns = due_ns;
            self.call.timer_due();
            self.run();
        }
        self.now_ns = until_ns;
    }

    pub fn opener(&self) -> DaveOpener {
        DaveOpener::new(Alarm::new(&self.call, &self.threads.pool()))
    }

    /// Fills the pacer's ring up to what is reserved.
    pub fn fill_pacer(&mut self) {
        self.control.with(|table, _| {
            let pacer = &mut table.pacers[0];
            while pacer.send(Command::Poke { place: 0 }).is_ok() {}
        });
    }

    pub fn take_commands(&mut self) {
        while self.commands.pop().is_ok() {}
    }

    /// What the pacer was told about frames.
    pub fn frames_commands(&mut self) -> Vec<&'static str> {
        let commands = std::iter::from_fn(|| self.commands.pop().ok());
        commands.filter_map(|command| kind_of(&command)).collect()
    }

    /// News since the last call, states aside.
    pub fn events(&mut self) -> Vec<DaveEvent> {
        let mut events = Vec::new();
        self.control.events.drain(&mut events, 4_096);
        let events = events.into_iter().filter_map(|event| match event {
            EngineEvent::Dave { event, .. } => Some(event),
            _ => None,
        });
        let is_state = |event: &DaveEvent| matches!(event, DaveEvent::State(_));
        events.filter(|event| !is_state(event)).collect()
    }

    pub fn replies(&mut self) -> Vec<Reply> {
        let events = self.events().into_iter();
        let replies = events.filter_map(|event| match event {
            DaveEvent::Send(reply) => Some(reply),
            _ => None,
        });
        replies.collect()
    }
}

/// A member whom another implementation plays.
pub struct Peer {
    pub user: u64,
    session: DaveSession,
}

impl Peer {
    pub fn begin(user: u64) -> Peer {
        let version = NonZeroU16::MIN;
        let session = DaveSession::new(version, user, CHANNEL, None);
        let mut session = session.expect("there is randomness");
        let sender = Gateway::new().external_sender();
        session
            .set_external_sender(&sender)
            .expect("it is a package");
        Peer { user, session }
    }

    pub fn key_package(&mut self) -> Vec<u8> {
        self.session.create_key_package().expect("there is a group")
    }

    /// Op 28 for an op 27.
    fn commit(&mut self, proposals: &[u8]) -> Vec<u8> {
        let append = ProposalsOperationType::APPEND;
        let made = self
            .session
            .process_proposals(append, &proposals[1..], None);
        let made = made
            .expect("the proposals fit")
            .expect("there is something to commit");
        [made.commit, made.welcome.unwrap_or_default()].concat()
    }

    fn apply(&mut self, commit: &[u8], transition: u16) {
        let applied = self.session.process_commit(commit);
        assert!(applied.expect("it is its own"));
        let prepared = self.session.prepare_transition(transition, 1);
        prepared.expect("the group stands");
    }

    pub fn seal(&mut self, frame: &[u8]) -> Vec<u8> {
        let sealed = self.session.encrypt_opus(frame);
        sealed.expect("it has a key").into_owned()
    }
}

/// News of an engine that nobody has asked for.
pub struct Events(RefCell<Vec<EngineEvent>>);

/// An engine with its threads.
pub fn engine() -> (Engine, Events) {
    let config = EngineConfig {
        dave_workers: 1,
        ..EngineConfig::default()
    };
    let engine = Engine::start(config, Arc::new(|| {})).expect("the system gives threads");
    (engine, Events(RefCell::default()))
}

impl Events {
    /// Waits for an event of a flow and takes it, with everything before it.
    pub fn wait(&self, engine: &Engine, flow: FlowId, wanted: impl Fn(&DaveEvent) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut seen = self.0.borrow_mut();
        loop {
            engine.drain_events(&mut seen, 1_000);
            let is_it = |event: &EngineEvent| matches!(event, EngineEvent::Dave { flow: of, event } if *of == flow && wanted(event));
            if let Some(at) = seen.iter().position(is_it) {
                seen.drain(..=at);
                return;
            }
            assert!(Instant::now() < deadline, "gave up waiting");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
