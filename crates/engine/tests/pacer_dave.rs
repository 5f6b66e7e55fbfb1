//! End-to-end encryption on the pacer, under simulated time: what is held, what passes unheard, when
//! keys change, and that nothing leaves in clear.

mod support;

use cadenza_dave::{FrameSession, SenderKeys};
use cadenza_engine::frame_queue::FrameProducer;
use cadenza_engine::pacer::{Command, Notice};
use cadenza_proto::dave::{BaseKey, FrameOpener, Trailer};
use support::pacer::{Bench, HOLD_MS, MILLI, PERIOD, Packet, push_end, push_numbered};

const HOLD_PERIODS: u64 = HOLD_MS as u64 * MILLI / PERIOD;

#[test]
fn a_held_track_waits_and_then_begins_at_its_first_frame() {
    let (mut bench, flow, mut producer) = held();
    push_numbered(&mut producer, 0, 0, 40);
    bench.run((HOLD_PERIODS - 10) * PERIOD);
    assert!(bench.packets().is_empty());
    let notices = bench.notices();
    assert_eq!(
        notices,
        [Notice::Started { flow, track: 1 }],
        "it could begin"
    );
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(1)));
    bench.run(3 * PERIOD);
    let mut opener = opener(1);
    let heard = open_all(&mut opener, bench.packets());
    assert_eq!(heard, [vec![0; 40], vec![1; 40], vec![2; 40]]);
}

#[test]
fn a_track_that_is_held_for_long_passes_unheard() {
    let (mut bench, flow, mut producer) = held();
    push_numbered(&mut producer, 0, 0, 30);
    push_end(&mut producer);
    bench.run((HOLD_PERIODS + 60) * PERIOD);
    let packets = bench.packets();
    assert!(
        packets.iter().all(Packet::is_silence),
        "nothing leaves in clear"
    );
    assert_eq!(packets.len(), 5, "an end is an end");
    let notices = bench.notices();
    assert!(
        notices.contains(&Notice::Finished { flow, track: 1 }),
        "{notices:?}"
    );
    assert!(notices.contains(&Notice::Drained { flow }));
    assert_eq!(bench.shared[0].stats().position_ms, 600);
    assert_eq!(bench.pacer.active_flows(), 0, "it costs nothing any more");
}

#[test]
fn keys_change_between_two_frames() {
    let (mut bench, flow, mut producer) = held();
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(1)));
    push_numbered(&mut producer, 0, 0, 40);
    bench.run(4 * PERIOD);
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(2)));
    bench.run(4 * PERIOD);
    set_keys(&mut bench, flow, SenderKeys::Clear);
    bench.run(2 * PERIOD);
    let packets = bench.packets();
    let spacing: Vec<u64> = packets
        .windows(2)
        .map(|two| two[1].at_ns - two[0].at_ns)
        .collect();
    assert!(
        spacing.iter().all(|gap| *gap == PERIOD),
        "no frame is lost: {spacing:?}"
    );
    let nonces: Vec<_> = packets.iter().map(nonce).collect();
    let [one, two, three, four] = [1, 2, 3, 4].map(Some);
    let expected = [one, two, three, four, one, two, three, four, None, None];
    assert_eq!(nonces, expected);
    let mut both = opener(1);
    both.install(&key(2), 0);
    both.allow_clear();
    let heard = open_all(&mut both, packets);
    assert!(
        heard
            .iter()
            .enumerate()
            .all(|(n, frame)| *frame == vec![n as u8; 40])
    );
}

#[test]
fn what_sounded_ends_in_silence_when_the_key_is_taken_away() {
    let (mut bench, flow, mut producer) = held();
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(1)));
    push_numbered(&mut producer, 0, 0, 40);
    bench.run(4 * PERIOD);
    bench.packets();
    set_keys(&mut bench, flow, SenderKeys::Hold);
    bench.run(20 * PERIOD);
    let packets = bench.packets();
    assert!(packets.len() == 5 && packets.iter().all(Packet::is_silence));
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(2)));
    bench.run(PERIOD);
    let heard = open_all(&mut opener(2), bench.packets());
    assert_eq!(heard, [vec![4; 40]], "it goes on where it was");
}

#[test]
fn a_pause_while_held_does_not_pass_unheard() {
    let (mut bench, flow, mut producer) = held();
    push_numbered(&mut producer, 0, 0, 40);
    bench.run(5 * PERIOD);
    bench.pause(flow, true);
    bench.run((HOLD_PERIODS + 100) * PERIOD);
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(1)));
    bench.pause(flow, false);
    bench.run(PERIOD);
    assert_eq!(open_all(&mut opener(1), bench.packets()), [vec![0; 40]]);
}

#[test]
fn a_flow_that_changes_its_pacer_keeps_its_key_its_nonces_and_its_hold() {
    let (mut bench, flow, mut producer) = held();
    let mut other = Bench::new(4);
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(1)));
    push_numbered(&mut producer, 0, 0, 40);
    bench.run(4 * PERIOD);
    let mut packets = bench.packets();
    other.run(4 * PERIOD);
    change_pacer(&mut bench, &mut other, flow);
    other.run(4 * PERIOD);
    packets.extend(other.packets());
    assert!(bench.packets().is_empty());
    let nonces: Vec<_> = packets.iter().map(nonce).collect();
    assert_eq!(nonces, (1..=8).map(Some).collect::<Vec<_>>());
    let heard = open_all(&mut opener(1), packets);
    assert!(
        heard
            .iter()
            .enumerate()
            .all(|(n, frame)| *frame == vec![n as u8; 40])
    );
    set_keys(&mut other, flow, SenderKeys::Hold);
    other.run(10 * PERIOD);
    assert!(other.packets().iter().all(Packet::is_silence));
    bench.run(14 * PERIOD);
    change_pacer(&mut other, &mut bench, flow);
    bench.run(10 * PERIOD);
    assert!(bench.packets().is_empty(), "it is held there too");
    set_keys(&mut bench, flow, SenderKeys::Keyed(key(2)));
    bench.run(PERIOD);
    assert_eq!(open_all(&mut opener(2), bench.packets()), [vec![8; 40]]);
}

/// Lets a flow go over to another pacer, whose clock stands at the same time.
fn change_pacer(from: &mut Bench, to: &mut Bench, place: u32) {
    from.command(Command::Leave { place });
    from.run(0);
    from.notices();
    for flow in from.ports.reports.take_moved() {
        to.command(Command::Insert { place, flow });
    }
    to.run(0);
}

/// A flow that may send, has no key, and plays.
fn held() -> (Bench, u32, FrameProducer) {
    let mut bench = Bench::new(4);
    let flow = bench.flow();
    set_keys(&mut bench, flow, SenderKeys::Hold);
    let producer = bench.play(flow, 1);
    (bench, flow, producer)
}

fn set_keys(bench: &mut Bench, place: u32, keys: SenderKeys) {
    let frames = FrameSession::new(keys);
    bench.command(Command::Frames { place, frames });
}

fn key(byte: u8) -> BaseKey {
    BaseKey::new([byte; 16])
}

fn opener(byte: u8) -> FrameOpener {
    let mut opener = FrameOpener::new();
    opener.install(&key(byte), 0);
    opener
}

fn nonce(packet: &Packet) -> Option<u32> {
    Trailer::parse(&packet.payload)
        .ok()
        .map(|trailer| trailer.nonce)
}

fn open_all(opener: &mut FrameOpener, packets: Vec<Packet>) -> Vec<Vec<u8>> {
    let open = |mut packet: Packet| {
        let len = opener.open(&mut packet.payload, 0).expect("it opens");
        packet.payload.truncate(len);
        packet.payload
    };
    packets.into_iter().map(open).collect()
}
