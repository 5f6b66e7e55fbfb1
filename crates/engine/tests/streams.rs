//! Streams: made once, played by many calls, each at its own turns.

mod support;

use std::sync::Arc;

use cadenza_engine::flow::{Broadcast, BroadcastReader, Feed, Flow, FlowShared};
use cadenza_engine::frame_queue::FrameProducer;
use cadenza_engine::pacer::{Command, Notice};
use cadenza_engine::{
    EndReason, EngineError, EngineEvent, PushContent, PushRequest, TransportMode,
};
use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::transport::Opener;
use support::engine::Harness;
use support::pacer::{Bench, PERIOD, push_end, push_numbered};
use support::server::Server;

const KEY: [u8; 32] = [7; 32];
const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;

/// A pacer with one stream at place 0 and calls that play it.
struct Studio {
    bench: Bench,
    ring: Arc<Broadcast>,
    producer: FrameProducer,
}

impl Studio {
    fn new() -> Studio {
        let mut bench = Bench::new(64);
        let ring = Arc::<Broadcast>::default();
        let shared = Arc::<FlowShared>::default();
        let flow = Box::new(Flow::stream(0, Arc::clone(&shared), Arc::clone(&ring)));
        bench.shared.push(shared);
        bench.command(Command::Insert { place: 0, flow });
        let producer = bench.play(0, 77);
        Studio {
            bench,
            ring,
            producer,
        }
    }

    fn subscriber(&mut self) -> u32 {
        let place = self.bench.flow();
        self.subscribe(place);
        place
    }

    fn subscribe(&mut self, place: u32) {
        let feed = Feed::of_stream(BroadcastReader::new(Arc::clone(&self.ring)));
        let feed = Box::new(feed);
        self.bench.command(Command::Feed { place, feed });
    }

    /// Plays so many numbered frames, one a period.
    fn play(&mut self, first: u8, count: u8) {
        for n in first..first + count {
            push_numbered(&mut self.producer, 0, n, 1);
            self.bench.run(PERIOD);
        }
    }

    /// The numbers of the frames that each of the places sent; 255 is silence.
    fn heard(&mut self, places: &[u32]) -> Vec<Vec<u8>> {
        let packets = self.bench.packets();
        let of = |place: &u32| {
            let own = packets.iter().filter(|packet| packet.from == *place);
            own.map(|packet| {
                if packet.is_silence() {
                    255
                } else {
                    packet.payload[0]
                }
            })
            .collect()
        };
        places.iter().map(of).collect()
    }
}

#[test]
fn every_call_sends_every_frame_under_its_own_keys_and_the_stream_sends_none() {
    let mut studio = Studio::new();
    let calls: Vec<u32> = (0..40).map(|_| studio.subscriber()).collect();
    studio.play(1, 50);
    push_end(&mut studio.producer);
    studio.bench.run(20 * PERIOD);
    let expected: Vec<u8> = (1..51).chain([255; 5]).collect();
    for heard in studio.heard(&calls) {
        assert_eq!(heard, expected);
    }
    let notices = studio.bench.notices();
    let count = |wanted: Notice| notices.iter().filter(|notice| **notice == wanted).count();
    assert_eq!(count(Notice::Started { flow: 0, track: 77 }), 1);
    assert_eq!(count(Notice::Finished { flow: 0, track: 77 }), 1);
    assert_eq!(count(Notice::Woke { flow: 0 }), 1);
    assert_eq!(
        studio.bench.pacer.active_flows(),
        0,
        "nobody costs a wake-up"
    );
    assert_eq!(studio.bench.shared[0].stats().packets_sent, 50);
    assert_eq!(studio.bench.shared[1].stats().position_ms, 1_020);
}

#[test]
fn a_late_joiner_hears_what_the_others_hear() {
    let mut studio = Studio::new();
    let early = studio.subscriber();
    studio.play(1, 30);
    let late = studio.subscriber();
    studio.play(31, 20);
    let heard = studio.heard(&[early, late]);
    let (early, late) = (&heard[0], &heard[1]);
    let common = early.windows(late.len()).any(|part| part == late);
    assert!(late.len() >= 15 && common, "{late:?}");
    let ends = [early, late].map(|heard| *heard.last().expect("it hears something"));
    assert!(ends[0].abs_diff(ends[1]) <= 1, "{ends:?}");
}

#[test]
fn a_call_that_pauses_or_has_no_socket_costs_nobody_else_anything() {
    let mut studio = Studio::new();
    let calls: Vec<u32> = (0..3).map(|_| studio.subscriber()).collect();
    studio.play(1, 10);
    studio.bench.pause(calls[1], true);
    studio.bench.command(Command::Unlink { place: calls[2] });
    studio.play(11, 40);
    studio.bench.pause(calls[1], false);
    studio.bench.connect(calls[2]);
    studio.play(51, 30);
    let heard = studio.heard(&calls);
    let all: Vec<u8> = (1..=heard[0].len() as u8).collect();
    assert_eq!(heard[0], all);
    for back in &heard[1..] {
        let last = *back.last().expect("it sends again");
        assert!((78..=80).contains(&last), "at the live position: {last}");
        assert!(!back.contains(&30), "what was missed is not made up for");
        assert!(
            back.ends_with(&(54..=last).collect::<Vec<u8>>()),
            "{back:?}"
        );
    }
    assert!(
        studio.bench.shared[calls[2] as usize]
            .stats()
            .frames_skipped
            > 30
    );
}

#[test]
fn calls_sleep_while_the_stream_is_silent_and_a_poke_brings_them_back() {
    let mut studio = Studio::new();
    let call = studio.subscriber();
    studio.play(1, 5);
    studio.bench.pause(0, true);
    studio.bench.run(20 * PERIOD);
    assert_eq!(studio.bench.pacer.active_flows(), 0);
    studio.bench.notices();
    studio.bench.pause(0, false);
    push_numbered(&mut studio.producer, 0, 6, 5);
    studio.bench.run(PERIOD);
    assert!(studio.bench.notices().contains(&Notice::Woke { flow: 0 }));
    studio.bench.command(Command::Poke { place: call });
    studio.bench.run(10 * PERIOD);
    let heard = &studio.heard(&[call])[0];
    let sound: Vec<u8> = heard.iter().copied().filter(|n| *n != 255).collect();
    assert!(
        sound.starts_with(&[1, 2, 3, 4, 5]) && sound.ends_with(&[8, 9, 10]),
        "{heard:?}"
    );
}

#[test]
fn one_encoded_track_reaches_many_calls_through_the_engine() {
    let harness = Harness::start();
    let stream = harness.engine.create_stream().expect("there is room");
    let servers: Vec<Server> = (0..3).map(|_| Server::start()).collect();
    let calls: Vec<u32> = servers
        .iter()
        .map(|server| harness.connect(server.address(), 1, MODE, KEY))
        .collect();
    for call in &calls {
        harness.engine.subscribe(*call, stream).expect("both exist");
    }
    harness.play_sine(stream, 9, 600);
    harness.event("started", |event| {
        matches!(event, EngineEvent::TrackStarted { flow, track: 9, .. } if *flow == stream)
    });
    harness.event("finished", |event| {
        matches!(event, EngineEvent::TrackEnded { flow, track: 9, reason: EndReason::Finished }
            if *flow == stream)
    });
    let opener = Opener::new(MODE, &KEY);
    let heard: Vec<Vec<Vec<u8>>> = servers
        .iter()
        .map(|server| sound(server, &opener))
        .collect();
    // Whoever was woken late lacks the beginning, or what went by meanwhile; what it has is the same to the last byte.
    let longest = heard
        .iter()
        .max_by_key(|frames| frames.len())
        .expect("three");
    for frames in &heard {
        let (mut same, mut rest) = (0, longest.as_slice());
        for frame in frames {
            if let Some(at) = rest.iter().position(|other| other == frame) {
                (same, rest) = (same + 1, &rest[at + 1..]);
            }
        }
        assert!(same >= 10, "{same} of {}", frames.len());
    }
}

#[test]
fn frames_pushed_to_a_stream_reach_its_calls_until_it_is_destroyed() {
    let harness = Harness::start();
    let server = Server::start();
    let stream = harness.engine.create_stream().expect("there is room");
    let call = harness.connect(server.address(), 1, MODE, KEY);
    harness.engine.subscribe(call, stream).expect("both exist");
    let request = PushRequest {
        track: 3,
        content: PushContent::Opus,
    };
    harness.engine.open_push(stream, request).expect("it plays");
    let frames: Vec<[u8; 30]> = (0..40).map(|n| [n + 1; 30]).collect();
    let frames: Vec<&[u8]> = frames.iter().map(<[u8; 30]>::as_slice).collect();
    assert_eq!(harness.engine.push_frames(stream, &frames), 40);
    let heard = server.hear(5, &Opener::new(MODE, &KEY));
    assert!(heard.iter().all(|packet| packet.payload.len() == 30));
    harness.engine.destroy_flow(stream);
    harness.event("the call falls silent", |event| {
        *event == EngineEvent::Drained { flow: call }
    });
    assert!(matches!(
        harness.engine.subscribe(call, stream),
        Err(EngineError::UnknownFlow)
    ));
}

#[test]
fn kinds_are_not_mixed_up() {
    let harness = Harness::start();
    let server = Server::start();
    let [stream, other] = [(); 2].map(|()| harness.engine.create_stream().expect("room"));
    let call = harness.engine.create_flow().expect("room");
    let wrong = |result: Result<(), EngineError>| matches!(result, Err(EngineError::WrongKind));
    assert!(wrong(harness.engine.subscribe(call, call)));
    assert!(wrong(harness.engine.subscribe(stream, other)));
    assert!(wrong(harness.engine.open_transport(
        stream,
        server.address(),
        1,
        1
    )));
    harness.engine.subscribe(call, stream).expect("both exist");
    harness.engine.unsubscribe(call);
    harness.engine.unsubscribe(call);
    harness.engine.destroy_flow(call);
    harness.engine.destroy_flow(stream);
    assert_eq!(harness.engine.stats().flows, 1);
}

/// The frames a server hears before the silence at the end.
fn sound(server: &Server, opener: &Opener) -> Vec<Vec<u8>> {
    std::iter::repeat_with(|| server.hear_one(opener).payload)
        .take_while(|payload| *payload != SILENCE_FRAME)
        .collect()
}
