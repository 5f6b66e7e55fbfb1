//! The whole engine against a voice server's UDP side on loopback: discovery, session, sound, silence.

mod support;

use std::net::{SocketAddr, UdpSocket};

use cadenza_engine::{EndReason, EngineError, EngineEvent, TransportMode};
use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::transport::Opener;
use support::engine::{Harness, wait_for};
use support::server::Server;

const KEY: [u8; 32] = [7; 32];
const SSRC: u32 = 4_242;

#[test]
fn pushed_frames_arrive_sealed_in_order_and_end_in_silence() {
    for mode in TransportMode::PREFERENCE {
        let server = Server::start();
        let harness = Harness::start();
        let flow = harness.connect(server.address(), SSRC, mode, KEY);
        let frames: Vec<Vec<u8>> = (0..10_u8).map(|n| vec![n + 1; 100]).collect();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        assert_eq!(harness.engine.push_frames(flow, &frames), 10);

        let heard = server.hear(15, &Opener::new(mode, &KEY));
        let payloads: Vec<&[u8]> = heard
            .iter()
            .map(|packet| packet.payload.as_slice())
            .collect();
        assert_eq!(payloads[..10], frames[..]);
        assert!(
            payloads[10..]
                .iter()
                .all(|payload| *payload == SILENCE_FRAME)
        );
        for pair in heard.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!(step >= 960 && step % 960 == 0, "timestamp step {step}");
        }
        harness.event("drained", |event| {
            matches!(event, EngineEvent::Drained { .. })
        });
        let stats = harness.engine.flow_stats(flow).expect("the flow exists");
        assert_eq!((stats.packets_sent, stats.silence_sent), (15, 5));
        assert_eq!(stats.position_ms, 200);
    }
}

#[test]
fn a_file_plays_from_start_to_end() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), SSRC, MODE, KEY);
    harness.play_sine(flow, 9, 500);
    harness.event("started", |event| {
        matches!(event, EngineEvent::TrackStarted { track: 9, info, .. } if info.container == "wav")
    });
    harness.event("finished", |event| {
        let reason = EndReason::Finished;
        *event
            == EngineEvent::TrackEnded {
                flow,
                track: 9,
                reason,
            }
    });
    let heard = server.hear(30, &Opener::new(MODE, &KEY));
    assert!(
        heard[..25]
            .iter()
            .all(|packet| packet.payload != SILENCE_FRAME)
    );
    let stats = harness.engine.flow_stats(flow).expect("the flow exists");
    assert_eq!((stats.position_ms, stats.playing_track), (500, None));
}

#[test]
fn a_track_holds_without_a_session_and_goes_on_with_one() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.engine.create_flow().expect("there is room");
    harness.play_sine(flow, 1, 10_000);
    harness.event("started", |event| {
        matches!(event, EngineEvent::TrackStarted { .. })
    });
    let held = harness.engine.flow_stats(flow).expect("the flow exists");
    assert_eq!((held.position_ms, held.packets_sent), (0, 0));
    harness.open(flow, server.address(), SSRC, 1);
    harness
        .engine
        .start_session(flow, MODE, KEY)
        .expect("a transport is open");
    let heard = server.hear(5, &Opener::new(MODE, &KEY));
    assert!(heard.iter().all(|packet| packet.payload != SILENCE_FRAME));
    harness.engine.stop(flow);
    harness.event("stopped", |event| {
        let reason = EndReason::Stopped;
        *event
            == EngineEvent::TrackEnded {
                flow,
                track: 1,
                reason,
            }
    });
}

#[test]
fn a_silent_server_fails_discovery_only_after_all_tries_and_lost_requests_are_repeated() {
    let server = Server::start_ignoring(2);
    let harness = Harness::start();
    let flow = harness.engine.create_flow().expect("there is room");
    harness.open(flow, server.address(), SSRC, 3);
    harness.event("discovered", |event| {
        matches!(
            event,
            EngineEvent::Discovered {
                generation: 3,
                port: 50_004,
                ..
            }
        )
    });
}

#[test]
fn keepalives_are_answered_into_a_round_trip_time() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.engine.create_flow().expect("there is room");
    harness.open(flow, server.address(), SSRC, 1);
    wait_for("a round trip", || {
        let stats = harness.engine.flow_stats(flow)?;
        stats.udp_rtt_us.filter(|_| stats.datagrams_received >= 2)
    });
}

#[test]
fn the_same_keys_again_never_repeat_a_nonce() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), SSRC, MODE, KEY);
    let frames: Vec<&[u8]> = vec![&[1; 50]; 5];
    harness.engine.push_frames(flow, &frames);
    let before = server.hear(10, &Opener::new(MODE, &KEY));
    harness.open(flow, server.address(), SSRC + 1, 2);
    harness
        .engine
        .start_session(flow, MODE, KEY)
        .expect("a transport is open");
    harness.engine.push_frames(flow, &frames);
    let after = server.hear(10, &Opener::new(MODE, &KEY));
    assert_eq!(after[0].ssrc, SSRC + 1);
    assert_eq!(after[0].sequence, before[9].sequence.wrapping_add(1));
    for packet in &after {
        assert!(before.iter().all(|earlier| earlier.nonce != packet.nonce));
    }
}

#[test]
fn a_server_that_is_gone_is_reported_once() {
    let harness = Harness::start();
    let gone = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let Ok(SocketAddr::V4(gone)) = gone else {
        panic!("loopback is IPv4");
    };
    let flow = harness.engine.create_flow().expect("there is room");
    harness.open(flow, gone, SSRC, 5);
    harness
        .engine
        .start_session(flow, MODE, KEY)
        .expect("a transport is open");
    harness.play_sine(flow, 1, 60_000);
    harness.event("transport failed", |event| {
        matches!(event, EngineEvent::TransportFailed { generation: 5, .. })
    });
}

#[test]
fn a_broken_file_fails_its_own_track_only() {
    let server = Server::start();
    let harness = Harness::start();
    let good = harness.connect(server.address(), SSRC, MODE, KEY);
    harness.play_sine(good, 1, 60_000);
    let bad = harness.engine.create_flow().expect("there is room");
    harness.play_path(bad, 2, "/nonexistent/file.wav".into());
    harness.event(
        "failed",
        |event| matches!(event, EngineEvent::TrackFailed { flow, track: 2, .. } if *flow == bad),
    );
    server.hear(20, &Opener::new(MODE, &KEY));
    assert_eq!(
        harness
            .engine
            .flow_stats(bad)
            .and_then(|stats| stats.playing_track),
        None
    );
}

#[test]
fn a_replaced_track_ends_as_replaced_and_each_track_ends_once() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), SSRC, MODE, KEY);
    for _ in 0..50 {
        harness.play_sine(flow, 1, 60_000);
    }
    harness.engine.stop(flow);
    harness.engine.stop(flow);
    let mut ends = Vec::new();
    wait_for("51 ends", || {
        for event in harness.drain() {
            if let EngineEvent::TrackEnded { reason, .. } = event {
                ends.push(reason);
            }
        }
        (ends.len() >= 50).then_some(())
    });
    assert_eq!(ends[..49], [EndReason::Replaced; 49]);
    assert_eq!(ends[49..], [EndReason::Stopped]);
}

#[test]
fn shutdown_ends_threads_and_sockets_and_may_be_repeated() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), SSRC, MODE, KEY);
    harness.play_sine(flow, 1, 60_000);
    server.hear(3, &Opener::new(MODE, &KEY));
    harness.engine.shutdown();
    harness.engine.shutdown();
    assert!(matches!(
        harness.engine.create_flow(),
        Err(EngineError::ShutDown)
    ));
    assert_eq!(harness.engine.flow_stats(flow), None);
    harness.engine.stop(flow);
    harness.engine.seek(flow, 1);
    assert_eq!(harness.engine.push_frames(flow, &[&[1]]), 0);
}

const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;
