//! One hot operation, many times, and nothing else: `instructions seal|open|tick COUNT`.
//!
//! Run under callgrind with two counts, the difference in instructions is that of the operation alone.
//! `tick` is one period of a pacer with a thousand playing flows whose queues never run dry.

use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use cadenza_engine::clock::Clock;
use cadenza_engine::flow::{Feed, FeedKind, Flow, FlowShared, Link, Session, SessionSeed};
use cadenza_engine::frame_queue::{FrameMeta, FrameProducer, frame_queue};
use cadenza_engine::pacer::{Command, Pacer, PacerConfig, PacerPorts};
use cadenza_engine::transport::{Doorbell, PacketSink};
use cadenza_proto::clock_line::RtpClock;
use cadenza_proto::rtp::{Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Opener, Sealer, TransportMode};
use cadenza_proto::{FRAME_NANOS, MAX_DATAGRAM};

const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;
const KEY: [u8; 32] = [7; 32];
const FRAME: [u8; 240] = [0x5A; 240];
const FLOWS: u32 = 1_000;
const START_NS: u64 = 1_000_000_000;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let operation = arguments.next();
    let count = arguments.next().and_then(|count| count.parse().ok());
    match (operation.as_deref(), count) {
        (Some("seal"), Some(count)) => seal(count),
        (Some("open"), Some(count)) => open(count),
        (Some("tick"), Some(count)) => ticks(count)?,
        _ => return Err(io::Error::other("usage: instructions seal|open|tick COUNT")),
    }
    Ok(())
}

fn seal(count: u64) {
    let mut sealer = Sealer::new(MODE, &KEY, [0; 24]);
    let mut clock = RtpClock::new(Ssrc(1), Sequence(0), Timestamp(0), 0);
    let mut out = [0; MAX_DATAGRAM];
    for n in 0..count {
        let header = clock.stamp(n * FRAME_NANOS);
        let _ = black_box(sealer.seal(&header, black_box(&FRAME), &mut out));
    }
}

fn open(count: u64) {
    let mut sealer = Sealer::new(MODE, &KEY, [0; 24]);
    let header = RtpClock::new(Ssrc(1), Sequence(0), Timestamp(0), 0).stamp(0);
    let mut packet = [0; MAX_DATAGRAM];
    let len = sealer.seal(&header, &FRAME, &mut packet).unwrap_or(0);
    let opener = Opener::new(MODE, &KEY);
    for _ in 0..count {
        let mut copy = packet;
        let _ = black_box(opener.open(&mut copy[..len]).is_ok());
    }
}

/// A clock that goes from slot to slot.
#[derive(Clone, Default)]
struct Steps(Rc<Cell<u64>>);

impl Clock for Steps {
    fn now_ns(&self) -> u64 {
        self.0.get()
    }

    fn sleep_until(&self, deadline_ns: u64) {
        self.0.set(self.0.get().max(deadline_ns));
    }
}

/// Takes every packet and keeps none.
struct Nowhere;

impl PacketSink for Nowhere {
    type Handle = u32;

    fn send(&mut self, _handle: &u32, datagram: &[u8]) -> io::Result<()> {
        black_box(datagram);
        Ok(())
    }
}

fn ticks(count: u64) -> io::Result<()> {
    let clock = Steps::default();
    clock.0.set(START_NS);
    let sizes = PacerConfig {
        max_flows: FLOWS as usize,
        commands: 8 * FLOWS as usize,
        stall_ms: 10_000,
        hold_ms: 5_000,
    };
    let wake = Arc::new(Doorbell::new()?);
    let (mut pacer, mut ports) = Pacer::new(sizes, clock.clone(), Nowhere, wake);
    let mut producers: Vec<FrameProducer> = (0..FLOWS).map(|at| playing(&mut ports, at)).collect();
    // Commands are taken in, and every flow has its slot, before anything counts.
    for _ in 0..3 {
        period(&mut pacer, &clock, &mut producers);
    }
    for _ in 0..count {
        period(&mut pacer, &clock, &mut producers);
    }
    Ok(())
}

fn period(pacer: &mut Pacer<Steps, Nowhere>, clock: &Steps, producers: &mut [FrameProducer]) {
    let meta = FrameMeta {
        epoch: 0,
        position_ms: 0,
        last: false,
    };
    for producer in producers {
        black_box(producer.try_push(&FRAME, meta));
    }
    let end_ns = clock.now_ns() + FRAME_NANOS;
    while let Some(next_ns) = pacer.tick().filter(|next_ns| *next_ns < end_ns) {
        clock.sleep_until(next_ns);
    }
    clock.sleep_until(end_ns);
}

fn playing(ports: &mut PacerPorts<u32>, place: u32) -> FrameProducer {
    let flow = Box::new(Flow::new(place, Arc::<FlowShared>::default()));
    let link = Link {
        handle: place,
        generation: 1,
    };
    let session = Session::new(MODE, &KEY, place, SessionSeed::default());
    let session = Box::new(session);
    let (producer, queue) = frame_queue(4_096);
    let feed = Box::new(Feed::new(queue, FeedKind::Track(place), 0));
    for command in [
        Command::Insert { place, flow },
        Command::Link { place, link },
        Command::Session { place, session },
        Command::Feed { place, feed },
    ] {
        assert!(ports.commands.push(command).is_ok(), "the ring has room");
    }
    producer
}
