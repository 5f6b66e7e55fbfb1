//! The group's worker and the openers: with a pacer that takes nothing, floods from both sides, and a
//! member that another implementation plays.

mod bench;
#[path = "../../../dave/tests/support/mod.rs"]
mod support;

use cadenza_dave::{DaveEvent, DaveFailure, Reply, ServerMessage};
use cadenza_proto::dave::{BaseKey, FrameSealer};

use super::DaveTarget;
use super::call::Job;
use super::opener::DaveOpener;
use crate::pacer::Command;
use crate::receive::OpenFailure;
use bench::{Bench, OURS, PEER, Peer, SECOND, THIRD};
use support::gateway::append;

const FRAME: [u8; 5] = [0x78, 1, 2, 3, 4];

#[test]
fn frames_of_another_implementation_are_opened_and_former_keys_live_ten_seconds() {
    let (mut bench, mut peer) = Bench::with_peer();
    let mut opener = bench.opener();
    let open = |opener: &mut DaveOpener, sealed: &[u8], now_ns: u64| {
        let mut frame = sealed.to_vec();
        let opened = opener.open_at(PEER, &mut frame, now_ns);
        opened.map(|len| frame[..len].to_vec())
    };
    for _ in 0..200 {
        let sealed = peer.seal(&FRAME);
        assert_eq!(open(&mut opener, &sealed, bench.now_ns), Ok(FRAME.to_vec()));
    }
    let under_way: Vec<Vec<u8>> = (0..2).map(|_| peer.seal(&FRAME)).collect();
    bench.wait(5 * SECOND);
    let changed_ns = bench.now_ns;
    bench.change_epoch(&mut peer);
    let sealed = peer.seal(&FRAME);
    assert_eq!(open(&mut opener, &sealed, changed_ns), Ok(FRAME.to_vec()));
    let nine = open(&mut opener, &under_way[0], changed_ns + 9 * SECOND);
    assert_eq!(nine, Ok(FRAME.to_vec()));
    let eleven = open(&mut opener, &under_way[1], changed_ns + 11 * SECOND);
    assert_eq!(eleven, Err(OpenFailure::Authentication));
    let sealed = peer.seal(&FRAME);
    let late = open(&mut opener, &sealed, changed_ns + 11 * SECOND);
    assert_eq!(late, Ok(FRAME.to_vec()), "the present keys have no end");
}

#[test]
fn a_session_without_encryption_is_heard_before_a_worker_has_come_to_it() {
    let mut bench = Bench::new();
    let mut before = bench.opener();
    let clear = |opener: &mut DaveOpener| opener.open_at(PEER, &mut FRAME.to_vec(), 0);
    assert_eq!(clear(&mut before), Err(OpenFailure::Unencrypted));
    bench.call.begin(1);
    assert_eq!(clear(&mut bench.opener()), Err(OpenFailure::Unencrypted));
    bench.call.begin(0);
    assert_eq!(clear(&mut bench.opener()), Ok(FRAME.len()));
    bench.open(0);
    assert_eq!(clear(&mut bench.opener()), Ok(FRAME.len()));
}

#[test]
fn what_comes_before_the_welcome_is_counted_and_what_follows_is_opened() {
    let mut bench = Bench::new();
    let mut opener = bench.opener();
    let mut early = sealed_by(&mut FrameSealer::new(&BaseKey::new([9; 16])));
    let outcome = opener.open_at(PEER, &mut early, bench.now_ns);
    assert_eq!(outcome, Err(OpenFailure::NoKey));
    let mut peer = Peer::begin(PEER);
    bench.join(&mut peer);
    let outcome = opener.open_at(PEER, &mut peer.seal(&FRAME), bench.now_ns);
    assert_eq!(outcome, Ok(FRAME.len()));
}

#[test]
fn a_flood_of_frames_that_cannot_be_opened_is_counted_by_cause_and_the_stream_goes_on() {
    let (mut bench, mut peer) = Bench::with_peer();
    let mut opener = bench.opener();
    let mut foreign = FrameSealer::new(&BaseKey::new([9; 16]));
    let replayed = peer.seal(&FRAME);
    assert!(
        opener
            .open_at(PEER, &mut replayed.clone(), bench.now_ns)
            .is_ok()
    );
    let mut forged_generation = peer.seal(&FRAME);
    let body = forged_generation.len() - 4;
    forged_generation.splice(body.., [0x80, 0x80, 0x80, 0xF8, 0x0F, 16, 0xFA, 0xFA]);
    for round in 0..2_000_u64 {
        let stranger = 1_000_000 + round;
        let mut unknown = sealed_by(&mut foreign);
        let _ = opener.open_at(stranger, &mut unknown, bench.now_ns);
        let bad = [
            sealed_by(&mut foreign),
            replayed.clone(),
            FRAME.to_vec(),
            forged_generation.clone(),
            vec![0xFA; 2_500],
        ];
        for mut frame in bad {
            assert!(opener.open_at(PEER, &mut frame, bench.now_ns).is_err());
        }
        let mut good = peer.seal(&FRAME);
        assert_eq!(
            opener.open_at(PEER, &mut good, bench.now_ns),
            Ok(FRAME.len())
        );
    }
    let counts = bench.call.status().opened;
    assert_eq!(counts.ok, 2_001);
    let of = |cause: OpenFailure| {
        let at = OpenFailure::ALL.iter().position(|one| *one == cause);
        counts.failed[at.expect("every cause is listed")]
    };
    assert_eq!(of(OpenFailure::Authentication), 2_000);
    assert_eq!(of(OpenFailure::Replay), 2_000);
    assert_eq!(counts.failed.iter().sum::<u64>(), 12_000, "{counts:?}");
    bench.run();
    assert_eq!(
        bench.events(),
        [],
        "frames opened in between: the keys are right"
    );
}

#[test]
fn a_second_without_a_frame_that_opens_makes_the_group_be_joined_anew_once() {
    let (mut bench, _peer) = Bench::with_peer();
    let mut opener = bench.opener();
    let mut foreign = FrameSealer::new(&BaseKey::new([9; 16]));
    for _ in 0..49 {
        let _ = opener.open_at(PEER, &mut sealed_by(&mut foreign), bench.now_ns);
    }
    bench.run();
    assert_eq!(bench.events(), []);
    for _ in 0..50_000 {
        let _ = opener.open_at(PEER, &mut sealed_by(&mut foreign), bench.now_ns);
    }
    bench.run();
    let replies = bench.replies();
    assert!(
        matches!(
            replies.as_slice(),
            [Reply::Invalid { transition: 0 }, Reply::KeyPackage(_)]
        ),
        "{replies:?}"
    );
}

#[test]
fn frames_of_who_is_in_no_group_alarm_nobody() {
    let (mut bench, _peer) = Bench::with_peer();
    let mut opener = bench.opener();
    let mut foreign = FrameSealer::new(&BaseKey::new([9; 16]));
    for _ in 0..1_000 {
        let outcome = opener.open_at(THIRD, &mut sealed_by(&mut foreign), bench.now_ns);
        assert_eq!(outcome, Err(OpenFailure::NoKey));
        assert_eq!(
            opener.open_at(PEER, &mut FRAME.to_vec(), bench.now_ns),
            Err(OpenFailure::Unencrypted)
        );
    }
    bench.run();
    assert_eq!(bench.events(), []);
}

#[test]
fn batches_that_wait_for_a_worker_are_committed_once() {
    let (mut bench, _peer) = Bench::with_peer();
    let mut newcomers = [Peer::begin(THIRD), Peer::begin(THIRD + 1)];
    for newcomer in &mut newcomers {
        let package = newcomer.key_package();
        bench.gateway.take_key_package(newcomer.user, package);
        let add = bench.gateway.add(newcomer.user);
        bench.announce(newcomer.user);
        bench.job(Job::Message(ServerMessage::Proposals(append(&[&add]))));
    }
    bench.run();
    let replies = bench.replies();
    assert!(
        matches!(replies.as_slice(), [Reply::Commit(_)]),
        "{}",
        replies.len()
    );
}

#[test]
fn a_pacer_that_is_far_behind_gets_the_latest_keys_once_it_has_room() {
    let mut bench = Bench::new();
    bench.open(1);
    bench.take_commands();
    bench.fill_pacer();
    bench.transition(5, 0);
    bench.transition(6, 1);
    bench.transition(7, 0);
    assert!(bench.frames_commands().is_empty(), "there was no room");
    bench.wait(SECOND);
    let frames = bench.frames_commands();
    assert_eq!(frames, ["clear"], "what was overtaken is not said any more");
}

#[test]
fn keys_that_found_no_room_are_not_said_in_the_next_session() {
    let mut bench = Bench::new();
    bench.open(1);
    bench.take_commands();
    bench.fill_pacer();
    bench.transition(5, 0);
    bench.job(Job::Close { life: 1 });
    bench.take_commands();
    bench.open(1);
    assert!(
        bench
            .frames_commands()
            .iter()
            .all(|frames| *frames == "hold")
    );
}

#[test]
fn a_caller_that_says_too_much_ends_its_session_once() {
    let mut bench = Bench::new();
    bench.open(1);
    bench.events();
    for transition in 0..5_000 {
        bench.job(Job::Message(ServerMessage::ExecuteTransition {
            transition,
        }));
    }
    bench.run();
    assert_eq!(bench.events(), [DaveEvent::Failed(DaveFailure::Overloaded)]);
    assert!(bench.call.status().counters.ignored <= 1_024);
    bench.job(Job::Close { life: 1 });
    bench.open(1);
    bench.events();
    for _ in 0..100 {
        bench.job(Job::Message(ServerMessage::Proposals(vec![9; 1 << 20])));
    }
    bench.run();
    assert_eq!(bench.events(), [DaveEvent::Failed(DaveFailure::Overloaded)]);
    bench.job(Job::Close { life: 1 });
    bench.open(1);
    assert_eq!(bench.replies().len(), 1, "the next session begins as ever");
}

#[test]
fn a_panic_in_one_group_ends_its_session_alone() {
    let (engine, events) = bench::engine();
    let flows = [(); 2].map(|()| engine.create_flow().expect("there is room"));
    let target = DaveTarget {
        version: 1,
        user: OURS,
        channel: support::gateway::CHANNEL,
    };
    let begins = |flow| {
        engine.dave_open(flow, target).expect("it is not busy");
        events.wait(&engine, flow, |event| {
            matches!(event, DaveEvent::Send(Reply::KeyPackage(_)))
        });
    };
    flows.into_iter().for_each(begins);
    for _ in 0..8 {
        let call = engine.control.with(|table, _| {
            let (entry, _) = table.flow(flows[0]).ok()?;
            entry.dave.as_ref().map(|dave| dave.call.clone())
        });
        engine.dave.post(&call.expect("it was opened"), Job::Panic);
        events.wait(&engine, flows[0], |event| {
            *event == DaveEvent::Failed(DaveFailure::LibraryFailed)
        });
        flows.into_iter().for_each(begins);
    }
    engine.shutdown();
}

fn sealed_by(sealer: &mut FrameSealer) -> Vec<u8> {
    let mut buffer = vec![0x55; FRAME.len() + 16];
    let len = sealer.seal_in_place(&mut buffer, FRAME.len());
    buffer.truncate(len.expect("there is room"));
    buffer
}

fn kind_of<H>(command: &Command<H>) -> Option<&'static str> {
    match command {
        Command::Frames { frames, .. } if frames.is_held() => Some("hold"),
        Command::Frames { frames, .. } if frames.is_keyed() => Some("keyed"),
        Command::Frames { .. } => Some("clear"),
        _ => None,
    }
}
