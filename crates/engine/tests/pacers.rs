//! Several pacers: flows that change from one to another go on as if nothing had happened.

mod support;

use std::sync::Arc;

use cadenza_engine::pacer::Command;
use cadenza_engine::{Engine, EngineConfig, TransportMode};
use cadenza_proto::transport::Opener;
use support::engine::Harness;
use support::pacer::{Bench, MILLI, PERIOD, Packet, fill};
use support::server::Server;

const KEY: [u8; 32] = [7; 32];
const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;

/// Two pacers under clocks that stand at the same time.
fn pair() -> [Bench; 2] {
    [Bench::new(64), Bench::new(64)]
}

/// Lets one flow change its pacer, with what is meant for it in the meantime behind it.
fn change(benches: &mut [Bench; 2], place: u32, meanwhile: Vec<Command<u32>>) {
    let [from, to] = benches;
    from.command(Command::Leave { place });
    from.run(0);
    from.notices();
    for flow in from.ports.reports.take_moved() {
        to.command(Command::Insert { place, flow });
    }
    meanwhile
        .into_iter()
        .for_each(|command| to.command(command));
    to.run(0);
}

#[test]
fn a_flow_keeps_its_grid_its_sequence_and_its_nonces() {
    let mut benches = pair();
    let flows: Vec<u32> = (0..40).map(|_| benches[0].flow()).collect();
    let mut producers: Vec<_> = flows.iter().map(|flow| benches[0].play(*flow, 1)).collect();
    let mut packets: Vec<Packet> = Vec::new();
    for period in 0..40 {
        producers.iter_mut().for_each(|producer| {
            fill(producer, &[1; 50], 0);
        });
        for bench in &mut benches {
            bench.run(7 * MILLI);
        }
        if period == 20 {
            flows
                .iter()
                .for_each(|flow| change(&mut benches, *flow, Vec::new()));
        }
        for bench in &mut benches {
            bench.run(PERIOD - 7 * MILLI);
            packets.extend(bench.packets());
        }
    }
    assert_eq!(
        (
            benches[0].pacer.active_flows(),
            benches[1].pacer.active_flows()
        ),
        (0, 40)
    );
    for flow in flows {
        let mut own: Vec<&Packet> = packets
            .iter()
            .filter(|packet| packet.from == flow)
            .collect();
        own.sort_by_key(|packet| packet.at_ns);
        assert!(own.len() >= 39, "{} packets", own.len());
        for pair in own.windows(2) {
            assert_eq!(pair[1].at_ns - pair[0].at_ns, PERIOD);
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(960));
        }
    }
}

#[test]
fn what_is_asked_for_on_the_way_is_done_on_arrival_and_idle_flows_stay_idle() {
    let mut benches = pair();
    let playing = benches[0].flow();
    let idle = benches[0].flow();
    let mut producer = benches[0].play(playing, 1);
    fill(&mut producer, &[1; 50], 0);
    benches[0].run(5 * PERIOD);
    change(
        &mut benches,
        playing,
        vec![Command::Unlink { place: playing }],
    );
    change(&mut benches, idle, Vec::new());
    benches[1].run(5 * PERIOD);
    assert_eq!(benches[1].packets().len(), 0);
    assert_eq!(
        benches[1].pacer.active_flows(),
        0,
        "neither has anything to do"
    );
    benches[1].connect(playing);
    benches[1].run(5 * PERIOD);
    assert!(benches[1].packets().len() >= 4);
    benches[0].command(Command::Leave { place: 9 });
    benches[0].run(PERIOD);
    assert!(
        benches[0].ports.reports.take_moved().is_empty(),
        "nobody was there"
    );
}

#[test]
fn calls_of_a_running_engine_change_their_pacer_while_they_play() {
    let config = EngineConfig {
        pacers: 2,
        max_pacers: 2,
        ..EngineConfig::default()
    };
    let engine = Engine::start(config, Arc::new(|| {})).expect("the system gives threads");
    let harness = Harness::with(engine);
    let server = Server::start();
    let calls: Vec<u32> = (1..=6)
        .map(|ssrc| harness.connect(server.address(), ssrc, MODE, KEY))
        .collect();
    for call in &calls {
        harness.play_sine(*call, 1, 2_000);
    }
    let opener = Opener::new(MODE, &KEY);
    let mut heard = server.hear(60, &opener);
    for round in 0..20 {
        harness.engine.move_flows(round % 2, (round + 1) % 2, 6);
        // Whatever is asked for in the middle of a move reaches the call.
        harness.engine.set_paused(calls[round % 6], round % 3 == 0);
        harness.engine.set_paused(calls[round % 6], false);
        heard.extend(server.hear(12, &opener));
    }
    harness.engine.move_flows(0, 7, 1);
    let stats = harness.engine.stats();
    assert_eq!(stats.pacers.iter().map(|pacer| pacer.flows).sum::<u64>(), 6);
    for ssrc in 1..=6 {
        let sequences: Vec<u16> = heard
            .iter()
            .filter(|packet| packet.ssrc == ssrc)
            .map(|packet| packet.sequence)
            .collect();
        let all = sequences
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1));
        assert!(all && sequences.len() > 20, "{sequences:?}");
    }
    for call in calls {
        harness.engine.destroy_flow(call);
        harness.engine.move_flows(0, 1, 6);
    }
    assert_eq!(harness.engine.stats().flows, 0);
}
