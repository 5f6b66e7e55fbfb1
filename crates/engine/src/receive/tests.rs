//! Listener and worker together, under a clock that tests move: packets in, batches and files out.

mod bench;

use std::collections::HashSet;

use cadenza_proto::SILENCE_FRAME;
use cadenza_testkit::{LinkConfig, LossyLink};

use super::listener::ListenCommand;
use super::worker::Order;
use super::*;
use bench::*;

#[test]
fn a_bad_link_leaves_every_packet_in_its_place_and_time_whole() {
    let bad = LinkConfig {
        drop_permille: 20,
        duplicate_permille: 10,
        reorder_permille: 20,
        reorder_ns: 25 * MS,
        delay_ns: 40 * MS,
        jitter_ns: 30 * MS,
    };
    let mut bench = Bench::hearing(opus(1, Users::All));
    bench.map(100, ALICE);
    let mut link = LossyLink::new(bad, 7);
    let frames = 50 * 60_u32;
    for frame in 0..frames + 100 {
        if frame < frames {
            let datagram = bench.seal(100, frame as u16, frame * 960, &numbered(frame));
            link.send(bench.now_ns, &datagram);
        }
        for _ in 0..20 {
            for datagram in link.receive(bench.now_ns) {
                bench.hear(&datagram);
            }
            bench.pass(MS);
        }
    }
    let pieces = bench.pieces();
    assert_unbroken(&pieces);
    let mut heard = 0;
    let first = pieces.iter().find(|piece| piece.kind == 0).expect("sound");
    let offset = number_of(&first.data) * 960;
    for piece in pieces.iter().filter(|piece| piece.kind == 0) {
        heard += 1;
        assert_eq!(
            piece.position + u64::from(offset),
            u64::from(number_of(&piece.data)) * 960
        );
    }
    let end: u64 = pieces.iter().map(|piece| u64::from(piece.samples)).sum();
    let missing = u64::from(frames) * 960 - end;
    assert!(
        missing <= 3 * 960,
        "{missing} samples short: only the last packets may be missing"
    );
    let stats = bench.shared.stats();
    assert!(
        heard > frames - frames / 40 && heard < frames,
        "{heard} heard"
    );
    let user = stats.users[0];
    assert_eq!(user.user, ALICE);
    assert_eq!(user.packets - user.duplicates - user.late, u64::from(heard));
    assert!(
        user.duplicates > 10 && user.lost > 20 && user.jitter_us > 1_000,
        "{user:?}"
    );
}

#[test]
fn packets_of_users_whom_nobody_wants_are_not_decrypted() {
    let only_bob = Users::Only(HashSet::from([BOB]));
    let mut bench = Bench::hearing(opus(1, only_bob));
    bench.map(100, ALICE);
    bench.map(200, BOB);
    let mut broken = bench.seal(100, 0, 0, &numbered(0));
    *broken.last_mut().expect("a datagram") ^= 1;
    bench.hear(&broken);
    let whole = bench.seal(200, 0, 0, &numbered(1));
    bench.hear(&whole);
    bench.hear(&broken_copy(&whole));
    bench.pass(200 * MS);
    let stats = bench.shared.stats();
    assert_eq!((stats.packets, stats.filtered), (3, 1));
    assert_eq!(stats.transport_failures, [0, 0, 1, 0, 0]);
    let pieces = bench.pieces();
    assert_eq!(pieces.len(), 1);
    assert_eq!((pieces[0].user, pieces[0].ssrc), (BOB, 200));
}

#[test]
fn strangers_floods_and_garbage_are_counted_and_kept_in_bounds() {
    let mut bench = Bench::hearing(opus(1, Users::All));
    bench.map(100, ALICE);
    for ssrc in 0..10_000 {
        let datagram = bench.seal(1_000 + ssrc, 1, 1, &numbered(1));
        bench.hear(&datagram);
    }
    for len in 0..300 {
        bench.hear(&vec![0x90; len]);
        bench.hear(&vec![0x55; len]);
    }
    let other = {
        let mut datagram = bench.seal(100, 1, 1, &numbered(1));
        datagram[1] = 101;
        datagram
    };
    bench.hear(&other);
    bench.pass(2_500 * MS);
    let stats = bench.shared.stats();
    // Noise of 12 bytes and more that begins like RTP has the payload type 0x10.
    assert_eq!(stats.foreign_payload, 1 + 288);
    assert_eq!(stats.unknown_ssrc, 10_000);
    assert!(stats.garbage > 290, "{}", stats.garbage);
    assert_eq!(bench.pieces().len(), 0);
}

#[test]
fn an_announcement_that_comes_late_loses_nothing_and_a_leave_ends_every_stream() {
    let mut bench = Bench::hearing(opus(1, Users::All));
    for frame in 0..4_u32 {
        let datagram = bench.seal(100, frame as u16, frame * 960, &numbered(frame));
        bench.hear(&datagram);
        bench.pass(20 * MS);
    }
    bench.map(100, ALICE);
    bench.map(101, ALICE);
    for frame in 0..4_u32 {
        let datagram = bench.seal(101, frame as u16, frame * 960, &numbered(frame));
        bench.hear(&datagram);
    }
    bench.pass(100 * MS);
    bench.listener.command(ListenCommand::Unmap { user: ALICE });
    bench.pass(100 * MS);
    for ssrc in [100, 101] {
        let pieces = bench.seen.iter().filter(|piece| piece.ssrc == ssrc);
        let kinds: Vec<u8> = pieces.map(|piece| piece.kind).collect();
        assert_eq!(kinds, [0, 0, 0, 0, 3], "{ssrc}");
    }
    let datagram = bench.seal(100, 9, 9 * 960, &numbered(9));
    bench.hear(&datagram);
    bench.pass(2_500 * MS);
    assert_eq!(bench.shared.stats().unknown_ssrc, 1, "nobody's any more");
}

#[test]
fn an_ssrc_that_changes_hands_is_a_stream_of_its_new_owner() {
    let mut bench = Bench::hearing(opus(1, Users::All));
    bench.map(100, ALICE);
    let first = bench.seal(100, 1, 960, &numbered(1));
    bench.hear(&first);
    bench.pass(100 * MS);
    bench.map(100, BOB);
    let second = bench.seal(100, 2, 1_920, &numbered(2));
    bench.hear(&second);
    bench.pass(100 * MS);
    let heard: Vec<(u64, u8)> = bench
        .pieces()
        .iter()
        .map(|one| (one.user, one.kind))
        .collect();
    assert_eq!(heard.iter().filter(|one| **one == (ALICE, 0)).count(), 1);
    assert!(heard.contains(&(ALICE, 3)) && heard.contains(&(BOB, 0)));
}

#[test]
fn who_speaks_is_told_without_decrypting() {
    let mut bench = Bench::hearing(ReceiveRequest::default());
    bench.map(100, ALICE);
    for frame in 0..10_u32 {
        let payload = if frame < 5 {
            numbered(frame)
        } else {
            SILENCE_FRAME.to_vec()
        };
        let datagram = bench.seal(100, frame as u16, frame * 960, &payload);
        bench.hear(&datagram);
        bench.pass(20 * MS);
    }
    let changes = bench.listener.take_changes();
    let told: Vec<(u64, bool)> = changes.iter().map(|one| (one.user, one.speaking)).collect();
    assert_eq!(told, [(ALICE, true), (ALICE, false)]);
    assert_eq!(bench.shared.stats().filtered, 10);
}

#[test]
fn end_to_end_encryption_has_the_packet_after_padding_and_failures_are_counted_by_cause() {
    struct Picky;
    impl MediaOpener for Picky {
        fn open(&mut self, user: u64, payload: &mut [u8]) -> Result<usize, OpenFailure> {
            assert_eq!(user, ALICE);
            match payload {
                [rest @ .., 0xFA, 0xFA] => Ok(rest.len()),
                _ => Err(OpenFailure::Unencrypted),
            }
        }
    }
    let mut bench = Bench::hearing(opus(1, Users::All));
    bench.map(100, ALICE);
    bench
        .listener
        .command(ListenCommand::Media(Box::new(Picky)));
    let payloads = [
        [numbered(1).as_slice(), &[0xFA, 0xFA]].concat(),
        numbered(2),
        SILENCE_FRAME.to_vec(),
    ];
    for (n, payload) in (0..).zip(payloads) {
        let datagram = bench.seal(100, n, u32::from(n) * 960, &payload);
        bench.hear(&datagram);
    }
    bench.pass(500 * MS);
    let sound: Vec<Vec<u8>> = bench
        .pieces()
        .into_iter()
        .filter(|one| one.kind == 0)
        .map(|one| one.data)
        .collect();
    assert_eq!(sound, [numbered(1), SILENCE_FRAME.to_vec()]);
    assert_eq!(bench.shared.stats().media_failures, [0, 0, 0, 0, 1]);
}

#[test]
fn a_queue_that_nobody_empties_drops_the_oldest_and_says_so() {
    let mut bench = Bench::hearing(opus(1, Users::All));
    bench.map(100, ALICE);
    bench.takes = false;
    for frame in 0..50 * 30_u32 {
        let datagram = bench.seal(100, frame as u16, frame * 960, &numbered(frame));
        bench.hear(&datagram);
        bench.pass(20 * MS);
    }
    assert!(bench.shared.stats().batches_dropped > 0);
    bench.takes = true;
    bench.pass(20 * MS);
    let last = bench.pieces().last().map(|piece| number_of(&piece.data));
    assert_eq!(last, Some(50 * 30 - 1), "the newest stays");
}

#[test]
fn recordings_of_several_speakers_fit_together_and_keep_time() {
    let folder = std::env::temp_dir().join(format!("cadenza-receive-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mut bench = Bench::recording(&[
        record(None, &path("each-{user}.wav"), true),
        record(None, &path("mix.wav"), false),
        record(Some(ALICE), &path("alice.wav"), false),
    ]);
    bench.map(100, ALICE);
    bench.map(200, BOB);
    for frame in 0..50 * 20_u32 {
        // Alice speaks in the seconds 2 to 5 and 12 to 14, Bob from 4 to 6.
        let second = frame / 50;
        if (2..5).contains(&second) || (12..14).contains(&second) {
            let datagram = bench.seal(100, (frame - 100) as u16, frame * 960, &loud());
            if frame % 40 != 7 {
                bench.hear(&datagram);
            }
        }
        if (4..6).contains(&second) {
            let datagram = bench.seal(200, frame as u16, frame * 960, &loud());
            bench.hear(&datagram);
        }
        bench.pass(20 * MS);
    }
    for id in 1..=3 {
        let order = Order::StopRecording { flow: FLOW, id };
        bench.hearing.order(order, bench.now_ns);
    }
    let each = [ALICE, BOB].map(|user| samples(&path(&format!("each-{user}.wav"))));
    let mix = samples(&path("mix.wav"));
    let alice = samples(&path("alice.wav"));
    let seconds = |samples: &[i16]| samples.len() as f64 / 48_000.0;
    for file in [&each[0], &each[1], &mix] {
        assert!((seconds(file) - 20.0).abs() < 0.02, "{} s", seconds(file));
    }
    assert!(
        (seconds(&alice) - 12.0).abs() < 0.05,
        "{} s: from her first sound to her last",
        seconds(&alice)
    );
    assert_eq!(talk(&each[0]), [2, 3, 4, 12, 13]);
    assert_eq!(talk(&each[1]), [4, 5]);
    assert_eq!(talk(&mix), [2, 3, 4, 5, 12, 13]);
    assert_eq!(talk(&alice), [0, 1, 2, 10, 11]);
    let files: Vec<usize> = bench.ended().iter().map(Vec::len).collect();
    assert_eq!(files, [2, 1, 1]);
    std::fs::remove_dir_all(&folder).expect("the folder is there");
}

#[test]
fn ten_minutes_over_a_bad_link_are_recorded_as_ten_minutes() {
    let bad = LinkConfig {
        drop_permille: 20,
        duplicate_permille: 5,
        reorder_permille: 5,
        reorder_ns: 25 * MS,
        delay_ns: 40 * MS,
        jitter_ns: 30 * MS,
    };
    let folder = std::env::temp_dir().join(format!("cadenza-minutes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    let path = folder.join("alice.wav").to_string_lossy().into_owned();
    let mut bench = Bench::recording(&[record(Some(ALICE), &path, false)]);
    bench.map(100, ALICE);
    let mut link = LossyLink::new(bad, 11);
    let frames = 10 * 60 * 50_u32;
    let packet = loud();
    for frame in 0..frames + 50 {
        if frame < frames {
            let datagram = bench.seal(100, (frame + 60_000) as u16, frame * 960, &packet);
            link.send(bench.now_ns, &datagram);
        }
        for _ in 0..4 {
            for datagram in link.receive(bench.now_ns) {
                bench.hear(&datagram);
            }
            bench.pass(5 * MS);
        }
    }
    let order = Order::StopRecording { flow: FLOW, id: 1 };
    bench.hearing.order(order, bench.now_ns);
    let recorded = samples(&path).len() as i64;
    std::fs::remove_dir_all(&folder).expect("the folder is there");
    let off = recorded - i64::from(frames) * 960;
    assert!(off.abs() <= 960, "{off} samples off ten minutes");
    let user = bench.shared.stats().users[0];
    let lost = f64::from(frames) * 0.02;
    assert!((user.lost as f64 / lost - 1.0).abs() < 0.2, "{user:?}");
    assert!(
        user.jitter_us > 5_000 && user.concealed_samples > 0,
        "{user:?}"
    );
}

#[test]
fn a_recording_that_cannot_be_written_fails_alone() {
    let mut bench = Bench::recording(&[record(Some(ALICE), "/nonexistent/folder/a.wav", false)]);
    bench.map(100, ALICE);
    let datagram = bench.seal(100, 1, 960, &loud());
    bench.hear(&datagram);
    bench.pass(1_000 * MS);
    let events = bench.events.lock().expect("no test panicked");
    assert!(
        matches!(
            &events[..],
            [ReceiveEvent::RecordingFailed {
                code: "recording_failed",
                recording: 1,
                ..
            }]
        ),
        "{events:?}"
    );
}
