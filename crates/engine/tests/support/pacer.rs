//! A pacer under a clock that tests move, with a sink that keeps or only counts packets.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;

use cadenza_engine::TransportMode;
use cadenza_engine::clock::Clock;
use cadenza_engine::flow::{Feed, FeedKind, Flow, FlowShared, Link, Session, SessionSeed};
use cadenza_engine::frame_queue::{DEFAULT_CAPACITY_BYTES, FrameMeta, FrameProducer, frame_queue};
use cadenza_engine::pacer::{Command, Notice, Pacer, PacerConfig, PacerPorts};
use cadenza_engine::transport::{Doorbell, PacketSink};
use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::transport::Opener;
use cadenza_testkit::{ManualClock, RecordingSink};

pub const MILLI: u64 = 1_000_000;
pub const PERIOD: u64 = 20 * MILLI;
pub const STALL_MS: u32 = 10_000;
pub const HOLD_MS: u32 = 2_500;
pub const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;
pub const KEY: [u8; 32] = [3; 32];

/// The engine's view of a clock moved by hand.
#[derive(Clone, Default)]
pub struct TestClock(pub ManualClock);

impl Clock for TestClock {
    fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    fn sleep_until(&self, deadline_ns: u64) {
        self.0.advance_to(deadline_ns);
    }
}

/// A sink that keeps packets, or only counts them where nothing may be allocated.
pub struct TestSink {
    pub recording: RefCell<RecordingSink>,
    pub counting_only: Cell<bool>,
    pub count: Cell<u64>,
}

impl PacketSink for TestSink {
    type Handle = u32;

    fn send(&mut self, handle: &u32, datagram: &[u8]) -> io::Result<()> {
        self.count.set(self.count.get() + 1);
        if self.counting_only.get() || self.recording.borrow_mut().record(*handle, datagram) {
            return Ok(());
        }
        Err(io::Error::from_raw_os_error(111))
    }
}

/// A packet, opened.
#[derive(Clone, Debug)]
pub struct Packet {
    pub from: u32,
    pub at_ns: u64,
    pub sequence: u16,
    pub timestamp: u32,
    pub payload: Vec<u8>,
}

impl Packet {
    pub fn is_silence(&self) -> bool {
        self.payload == SILENCE_FRAME
    }
}

/// A pacer with the ends of everything that leads to it.
pub struct Bench {
    pub clock: ManualClock,
    pub pacer: Pacer<TestClock, TestSink>,
    pub ports: PacerPorts<u32>,
    pub shared: Vec<Arc<FlowShared>>,
    opener: Opener,
}

impl Bench {
    pub fn new(max_flows: usize) -> Bench {
        let clock = ManualClock::new(1_000_000_000);
        let config = PacerConfig {
            max_flows,
            commands: 65_536,
            stall_ms: STALL_MS,
            hold_ms: HOLD_MS,
        };
        let sink = TestSink {
            recording: RefCell::new(RecordingSink::new(clock.clone())),
            counting_only: Cell::new(false),
            count: Cell::new(0),
        };
        let wake = Arc::new(Doorbell::new().expect("a descriptor is free"));
        let (pacer, ports) = Pacer::new(config, TestClock(clock.clone()), sink, wake);
        Bench {
            clock,
            pacer,
            ports,
            shared: Vec::new(),
            opener: Opener::new(MODE, &KEY),
        }
    }

    pub fn command(&mut self, command: Command<u32>) {
        assert!(
            self.ports.commands.push(command).is_ok(),
            "the ring is full"
        );
    }

    /// Adds a flow without socket or keys; its number is its place and its id.
    pub fn bare_flow(&mut self) -> u32 {
        let place = self.shared.len() as u32;
        let shared = Arc::<FlowShared>::default();
        let flow = Box::new(Flow::new(place, Arc::clone(&shared)));
        self.shared.push(shared);
        self.command(Command::Insert { place, flow });
        place
    }

    /// Adds a flow that may send.
    pub fn flow(&mut self) -> u32 {
        let place = self.bare_flow();
        self.connect(place);
        place
    }

    pub fn connect(&mut self, place: u32) {
        let link = Link {
            handle: place,
            generation: 1,
        };
        self.command(Command::Link { place, link });
        let session = Session::new(MODE, &KEY, place, SessionSeed::default());
        let session = Box::new(session);
        self.command(Command::Session { place, session });
    }

    /// Lets a flow play a new track.
    pub fn play(&mut self, place: u32, track: u32) -> FrameProducer {
        self.feed(place, FeedKind::Track(track))
    }

    pub fn feed(&mut self, place: u32, kind: FeedKind) -> FrameProducer {
        let (producer, queue) = frame_queue(DEFAULT_CAPACITY_BYTES);
        let feed = Box::new(Feed::new(queue, kind, 0));
        self.command(Command::Feed { place, feed });
        producer
    }

    pub fn pause(&mut self, place: u32, paused: bool) {
        self.shared[place as usize].request_pause(paused);
        self.command(Command::Poke { place });
    }

    /// Seeks, and returns the epoch of the frames to come.
    pub fn seek(&mut self, place: u32, position_ms: u64) -> u16 {
        let epoch = self.shared[place as usize].request_seek(position_ms);
        self.command(Command::Poke { place });
        epoch
    }

    /// Ticks as the pacer's thread would until `by_ns` have passed, and returns how often.
    pub fn run(&mut self, by_ns: u64) -> u64 {
        let end_ns = self.clock.now_ns() + by_ns;
        let mut ticks = 0;
        loop {
            let next_ns = self.pacer.tick();
            ticks += 1;
            match next_ns {
                Some(next_ns) if next_ns < end_ns => self.clock.advance_to(next_ns),
                Some(_) | None => break,
            }
        }
        self.clock.advance_to(end_ns);
        ticks
    }

    /// Runs while `feed` fills queues before every period.
    pub fn run_fed(&mut self, periods: u64, mut feed: impl FnMut()) {
        for _ in 0..periods {
            feed();
            self.run(PERIOD);
        }
    }

    /// What was sent since the last call.
    pub fn packets(&mut self) -> Vec<Packet> {
        let recorded = self.pacer.sink().recording.borrow_mut().take();
        let open = |mut packet: cadenza_testkit::Recorded| {
            let opened = self.opener.open(&mut packet.datagram);
            let opened = opened.expect("every packet opens with the key");
            Packet {
                from: packet.from,
                at_ns: packet.at_ns,
                sequence: opened.header.sequence.0,
                timestamp: opened.header.timestamp.0,
                payload: opened.payload.to_vec(),
            }
        };
        recorded.into_iter().map(open).collect()
    }

    /// What was told since the last call; also frees what the pacer handed over.
    pub fn notices(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        self.ports.reports.read(&mut notices);
        notices
    }

    pub fn refuse_packets(&mut self, refuse: bool) {
        self.pacer
            .sink()
            .recording
            .borrow_mut()
            .set_refusing(refuse);
    }
}

/// Fills a queue as far as it goes with frames of these bytes, and returns how many fitted.
pub fn fill(producer: &mut FrameProducer, frame: &[u8], epoch: u16) -> usize {
    let meta = FrameMeta {
        epoch,
        position_ms: 0,
        last: false,
    };
    std::iter::repeat_with(|| producer.try_push(frame, meta))
        .take_while(|taken| *taken)
        .count()
}

/// Queues so many frames, numbered from `first`, with positions that follow the numbers.
pub fn push_numbered(producer: &mut FrameProducer, epoch: u16, first: u8, count: u8) {
    for n in first..first + count {
        let meta = FrameMeta {
            epoch,
            position_ms: (u32::from(n) + 1) * 20,
            last: false,
        };
        assert!(producer.try_push(&[n; 40], meta), "the queue has room");
    }
}

/// Marks the end of the track.
pub fn push_end(producer: &mut FrameProducer) {
    let meta = FrameMeta {
        epoch: 0,
        position_ms: 0,
        last: true,
    };
    assert!(producer.try_push(&[], meta), "the queue has room");
}
