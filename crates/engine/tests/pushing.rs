//! Tracks whose sound is pushed, through the whole engine: asked for ahead, paced, ended.

mod support;

use cadenza_audio::opus::Decoder;
use cadenza_engine::{
    EncoderSettings, EndReason, EngineError, EngineEvent, FlowId, PcmFormat, PushContent,
    PushRequest, TransportMode,
};
use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::transport::Opener;
use support::engine::{Harness, wait_for};
use support::server::Server;

const KEY: [u8; 32] = [7; 32];
const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;
/// 20 ms of 48 kHz stereo in 16-bit samples.
const FRAME_BYTES: usize = 3_840;

#[test]
fn a_pushed_track_is_asked_for_starts_and_ends_like_any_other() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), 1, MODE, KEY);
    open(&harness, flow, 5, PushContent::Opus).expect("the flow exists");
    assert_eq!(wanted(&harness), 50);
    let frames: Vec<[u8; 60]> = (0..70_u8).map(|n| [n + 1; 60]).collect();
    let mut rest: Vec<&[u8]> = frames.iter().map(<[u8; 60]>::as_slice).collect();
    // As many as fit, and each time the queue runs low the next ones, ten at a time.
    let taken = harness.engine.push_frames(flow, &rest);
    assert_eq!(taken, 50);
    rest.drain(..taken);
    while !rest.is_empty() {
        assert!(wanted(&harness) >= 10);
        let batch = rest.len().min(10);
        assert_eq!(harness.engine.push_frames(flow, &rest[..batch]), batch);
        rest.drain(..batch);
    }
    harness.engine.end_push(flow);
    assert_eq!(harness.engine.push_frames(flow, &[&[9; 9]]), 0);
    harness.event("finished", |event| is_end(event, 5, EndReason::Finished));

    let heard = server.hear(75, &Opener::new(MODE, &KEY));
    let payloads: Vec<&[u8]> = heard
        .iter()
        .map(|packet| packet.payload.as_slice())
        .collect();
    assert!(
        payloads[..70]
            .iter()
            .zip(&frames)
            .all(|(heard, sent)| heard == sent)
    );
    assert!(
        payloads[70..]
            .iter()
            .all(|payload| *payload == SILENCE_FRAME)
    );
    let stats = harness.engine.flow_stats(flow).expect("the flow exists");
    assert_eq!((stats.position_ms, stats.playing_track), (1_400, None));
}

#[test]
fn samples_are_encoded_and_played_to_their_end() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), 1, MODE, KEY);
    let content = PushContent::Pcm {
        format: PcmFormat::default(),
        encoder: EncoderSettings::default(),
    };
    open(&harness, flow, 6, content).expect("the flow exists");
    assert_eq!(wanted(&harness), 50);
    let pcm = cadenza_testkit::signal::sine(440.0, 0.5, 48_000, 2, 1_500);
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let taken = harness.engine.push_bytes(flow, &bytes);
    assert_eq!(taken, 50 * FRAME_BYTES);
    harness.event("started", |event| {
        matches!(event, EngineEvent::TrackStarted { track: 6, info, .. }
            if info.container == "raw" && info.codec == "pcm" && !info.passthrough)
    });
    let mut rest = &bytes[taken..];
    wait_for("room for the rest", || {
        rest = &rest[harness.engine.push_bytes(flow, rest)..];
        rest.is_empty().then_some(())
    });
    harness.engine.end_push(flow);
    harness.event("finished", |event| is_end(event, 6, EndReason::Finished));

    let heard = server.hear(75, &Opener::new(MODE, &KEY));
    let mut decoder = Decoder::new(0).expect("libopus gives a decoder");
    let mut out = Box::new([0.0; 2 * cadenza_audio::opus::MAX_PACKET_SAMPLES]);
    let energies = heard.iter().map(|packet| {
        let count = decoder.decode(&packet.payload, &mut out).expect("Opus");
        out[..2 * count]
            .iter()
            .map(|sample| sample * sample)
            .sum::<f32>()
            / count as f32
    });
    // A sine of half the full scale on both channels has a mean square of 2 · 0.5² / 2.
    let energies: Vec<f32> = energies.collect();
    assert!(
        energies[5..70]
            .iter()
            .all(|energy| (0.2..0.3).contains(energy)),
        "{energies:?}"
    );
}

#[test]
fn a_file_is_pushed_byte_by_byte_and_passes_through() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), 1, MODE, KEY);
    let content = PushContent::File {
        start_ms: 0,
        end_ms: Some(500),
        encoder: EncoderSettings::default(),
    };
    open(&harness, flow, 8, content).expect("the flow exists");
    assert_eq!(wanted(&harness), 128 * 1024, "as many bytes as fit");
    let path = "../audio/tests/fixtures/stereo-20ms.opus";
    let bytes = std::fs::read(path).expect("the fixture is there");
    for part in bytes.chunks(100) {
        assert_eq!(harness.engine.push_bytes(flow, part), part.len());
    }
    harness.engine.end_push(flow);
    harness.event("started", |event| {
        matches!(event, EngineEvent::TrackStarted { track: 8, info, .. }
            if info.container == "ogg" && info.passthrough && !info.seekable)
    });
    harness.event("finished", |event| is_end(event, 8, EndReason::Finished));
    let heard = server.hear(31, &Opener::new(MODE, &KEY));
    // The first packet's front is the encoder's lead-in, which is no time of the source.
    let sounding = heard
        .iter()
        .filter(|packet| packet.payload != SILENCE_FRAME);
    assert_eq!(sounding.count(), 26);
    assert_eq!(harness.engine.stats().encoding.encoded, 0);
}

#[test]
fn who_pushes_late_is_told_once_and_the_track_goes_on() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), 1, MODE, KEY);
    open(&harness, flow, 7, PushContent::Opus).expect("the flow exists");
    for round in 0..2_u8 {
        assert_eq!(harness.engine.push_frames(flow, &[&[round + 1; 30]]), 1);
        harness.event("starved", |event| {
            *event == EngineEvent::TrackStarved { flow, track: 7 }
        });
        harness.event("drained", |event| {
            matches!(event, EngineEvent::Drained { .. })
        });
        let stats = harness.engine.flow_stats(flow).expect("the flow exists");
        assert_eq!(stats.playing_track, Some(7), "the track waits for more");
    }
    harness.engine.seek(flow, 0);
    harness.engine.end_push(flow);
    harness.event("finished", |event| is_end(event, 7, EndReason::Finished));
    let heard = server.hear(12, &Opener::new(MODE, &KEY));
    assert_eq!((heard[0].payload[0], heard[6].payload[0]), (1, 2));
}

#[test]
fn a_stream_without_a_single_frame_starts_and_ends() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), 1, MODE, KEY);
    for (track, content) in [
        (1, PushContent::Opus),
        (
            2,
            PushContent::Pcm {
                format: PcmFormat::default(),
                encoder: EncoderSettings::default(),
            },
        ),
    ] {
        open(&harness, flow, track, content).expect("the flow exists");
        harness.engine.end_push(flow);
        harness.event("finished", |event| {
            is_end(event, track, EndReason::Finished)
        });
    }
}

#[test]
fn whatever_replaces_a_pushed_track_ends_it_and_its_writers() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), 1, MODE, KEY);
    open(&harness, flow, 1, PushContent::Opus).expect("the flow exists");
    harness.play_sine(flow, 2, 60_000);
    harness.event("replaced", |event| is_end(event, 1, EndReason::Replaced));
    assert_eq!(harness.engine.push_frames(flow, &[&[1; 10]]), 0);
    let pcm = PushContent::Pcm {
        format: PcmFormat::default(),
        encoder: EncoderSettings::default(),
    };
    open(&harness, flow, 3, pcm).expect("the flow exists");
    harness.event("replaced", |event| is_end(event, 2, EndReason::Replaced));
    assert_eq!(harness.engine.push_frames(flow, &[&[1; 10]]), 0);
    assert_eq!(
        harness.engine.push_bytes(flow, &[0; FRAME_BYTES]),
        FRAME_BYTES
    );
    open(&harness, flow, 4, PushContent::Opus).expect("the flow exists");
    harness.event("replaced", |event| is_end(event, 3, EndReason::Replaced));
    assert_eq!(harness.engine.push_bytes(flow, &[0; FRAME_BYTES]), 0);
    harness.engine.stop(flow);
    harness.event("stopped", |event| is_end(event, 4, EndReason::Stopped));
    let impossible = PushContent::Pcm {
        format: PcmFormat {
            channels: 0,
            ..PcmFormat::default()
        },
        encoder: EncoderSettings::default(),
    };
    let refused = open(&harness, flow, 5, impossible);
    assert!(matches!(refused, Err(EngineError::InvalidFormat)));
}

#[test]
fn the_encoder_changes_while_a_track_plays() {
    let server = Server::start();
    let harness = Harness::start();
    let flow = harness.connect(server.address(), 1, MODE, KEY);
    harness.play_sine(flow, 1, 60_000);
    let opener = Opener::new(MODE, &KEY);
    let before: usize = server
        .hear(20, &opener)
        .iter()
        .map(|packet| packet.payload.len())
        .sum();
    let settings = EncoderSettings {
        bitrate: 8_000,
        ..EncoderSettings::default()
    };
    harness.engine.set_encoder(flow, &settings);
    wait_for("smaller packets", || {
        let heard = server.hear(20, &opener);
        let now: usize = heard.iter().map(|packet| packet.payload.len()).sum();
        (now * 3 < before).then_some(())
    });
    assert_eq!(harness.engine.stats().encoding.complexity_cap, 10);
}

fn open(
    harness: &Harness,
    flow: FlowId,
    track: u32,
    content: PushContent,
) -> Result<(), EngineError> {
    harness
        .engine
        .open_push(flow, PushRequest { track, content })
}

fn wanted(harness: &Harness) -> u32 {
    let event = harness.event("frames wanted", |event| {
        matches!(event, EngineEvent::FramesWanted { .. })
    });
    match event {
        EngineEvent::FramesWanted { count, .. } => count,
        _ => 0,
    }
}

fn is_end(event: &EngineEvent, wanted: u32, why: EndReason) -> bool {
    matches!(event, EngineEvent::TrackEnded { track, reason, .. } if *track == wanted && *reason == why)
}
