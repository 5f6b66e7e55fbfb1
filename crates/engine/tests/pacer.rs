//! One pacer under simulated time: the grid, stalls, pauses, seeks, silence, and what it tells.

mod support;

use std::cell::RefCell;

use cadenza_engine::flow::FeedKind;
use cadenza_engine::pacer::{Command, Notice};
use support::pacer::{Bench, MILLI, PERIOD, Packet, STALL_MS, fill, push_end, push_numbered};

#[test]
fn frames_leave_every_20_ms_for_hours() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    let mut last: Option<Packet> = None;
    let mut count = 0_u64;
    const MINUTES: u64 = 180;
    for _ in 0..MINUTES {
        bench.run_fed(3_000, || {
            fill(&mut producer, &[1; 60], 0);
        });
        for packet in bench.packets() {
            if let Some(last) = &last {
                assert_eq!(packet.at_ns, last.at_ns + PERIOD);
                assert_eq!(packet.sequence, last.sequence.wrapping_add(1));
                assert_eq!(packet.timestamp, last.timestamp.wrapping_add(960));
            }
            last = Some(packet);
            count += 1;
        }
    }
    assert_eq!(count, MINUTES * 3_000);
    let stats = bench.shared[0].stats();
    assert_eq!(
        (stats.packets_late, stats.frames_skipped, stats.silence_sent),
        (0, 0, 0)
    );
}

#[test]
fn a_stall_of_ten_seconds_is_skipped_and_the_grid_kept() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    fill(&mut producer, &[1; 60], 0);
    bench.run(10 * PERIOD);
    let before = last(bench.packets());
    bench.clock.advance_ns(10_000 * MILLI + 7 * MILLI);
    bench.pacer.tick();
    let at_once = bench.packets();
    assert_eq!(at_once.len(), 1, "never a burst of more than 3");
    assert_eq!(at_once[0].sequence, before.sequence.wrapping_add(1));
    let periods = u64::from(at_once[0].timestamp.wrapping_sub(before.timestamp)) / 960;
    assert!(
        (500..=502).contains(&periods),
        "the timestamp follows the clock"
    );
    bench.run(5 * PERIOD);
    for packet in bench.packets() {
        assert_eq!((packet.at_ns - before.at_ns) % PERIOD, 0, "the same grid");
    }
    let skipped = bench.shared[0].stats().frames_skipped;
    assert!((499..=501).contains(&skipped), "{skipped} skipped");
}

#[test]
fn a_stall_of_two_periods_is_made_up_for_with_three_frames() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    fill(&mut producer, &[1; 60], 0);
    bench.run(10 * PERIOD);
    let before = last(bench.packets());
    bench
        .clock
        .advance_to(before.at_ns + 3 * PERIOD + 5 * MILLI);
    bench.pacer.tick();
    let at_once = bench.packets();
    assert_eq!(at_once.len(), 3);
    for (n, packet) in at_once.iter().enumerate() {
        let expected = before.timestamp.wrapping_add((n as u32 + 1) * 960);
        assert_eq!(packet.timestamp, expected);
    }
    assert_eq!(bench.shared[0].stats().packets_late, 2);
}

#[test]
fn a_pause_sends_five_silence_frames_and_the_timestamp_follows_the_clock() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    push_numbered(&mut producer, 0, 0, 40);
    bench.run(10 * PERIOD);
    let before = last(bench.packets());
    bench.pause(flow, true);
    bench.run(20 * PERIOD);
    let paused = bench.packets();
    assert_eq!(paused.len(), 5);
    assert!(paused.iter().all(Packet::is_silence));
    assert_eq!(
        bench.pacer.active_flows(),
        0,
        "a paused flow costs no wake-up"
    );
    bench.run(3_000 * MILLI);
    bench.pause(flow, false);
    bench.run(2 * PERIOD);
    let after = bench.packets();
    assert_eq!(after[0].sequence, before.sequence.wrapping_add(6));
    assert_eq!(
        after[0].payload,
        [before.payload[0] + 1; 40],
        "no frame is lost"
    );
    let real = (after[0].at_ns - before.at_ns) as f64 / PERIOD as f64;
    let stamped = f64::from(after[0].timestamp.wrapping_sub(before.timestamp)) / 960.0;
    assert!(
        (real - stamped).abs() <= 0.5,
        "{real} periods passed, {stamped} stamped"
    );
}

#[test]
fn a_pause_within_the_silence_ends_in_sound_again() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    push_numbered(&mut producer, 0, 0, 40);
    bench.run(5 * PERIOD);
    bench.pause(flow, true);
    bench.run(2 * PERIOD);
    bench.pause(flow, false);
    bench.run(5 * PERIOD);
    let packets = bench.packets();
    let silence = packets.iter().filter(|packet| packet.is_silence()).count();
    assert_eq!(silence, 2);
    assert!(
        packets
            .windows(2)
            .all(|pair| pair[1].at_ns - pair[0].at_ns == PERIOD)
    );
    assert!(!bench.notices().contains(&Notice::Drained { flow }));
}

#[test]
fn a_seek_discards_what_was_queued_and_moves_the_position() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    push_numbered(&mut producer, 0, 0, 30);
    bench.run(5 * PERIOD);
    bench.packets();
    let epoch = bench.seek(flow, 90_000);
    bench.pacer.tick();
    assert_eq!(bench.shared[0].stats().position_ms, 90_000);
    // The feed was in the middle of its old batch when the seek came.
    push_numbered(&mut producer, 0, 30, 3);
    push_numbered(&mut producer, epoch, 100, 10);
    bench.run(5 * PERIOD);
    let mut packets = bench.packets();
    packets.retain(|packet| !packet.is_silence());
    let numbers: Vec<u8> = packets.iter().map(|packet| packet.payload[0]).collect();
    assert_eq!(numbers, [100, 101, 102, 103], "only new frames");
    assert_eq!(bench.shared[0].stats().position_ms, 104 * 20);
}

#[test]
fn a_seek_while_paused_makes_room_at_once() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    bench.pause(flow, true);
    bench.pacer.tick();
    fill(&mut producer, &[1; 60], 0);
    let epoch = bench.seek(flow, 5_000);
    bench.pacer.tick();
    assert!(producer.is_empty(), "old frames are gone without a turn");
    push_numbered(&mut producer, epoch, 7, 3);
    assert_eq!(bench.shared[0].stats().position_ms, 5_000);
}

#[test]
fn the_end_of_a_track_is_told_once_and_followed_by_silence() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 77);
    push_numbered(&mut producer, 0, 0, 3);
    push_end(&mut producer);
    bench.run(20 * PERIOD);
    let packets = bench.packets();
    let silence: Vec<bool> = packets.iter().map(Packet::is_silence).collect();
    assert_eq!(silence, [false, false, false, true, true, true, true, true]);
    let track = 77;
    let told = [
        Notice::Started { flow, track },
        Notice::Finished { flow, track },
        Notice::Drained { flow },
    ];
    assert_eq!(bench.notices(), told);
    assert_eq!(bench.pacer.tick(), None, "nothing is left to wake up for");
}

#[test]
fn stopping_sends_five_silence_frames() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    fill(&mut producer, &[1; 60], 0);
    bench.run(5 * PERIOD);
    bench.packets();
    bench.command(Command::Clear { place: flow });
    bench.run(20 * PERIOD);
    let packets = bench.packets();
    assert_eq!(packets.len(), 5);
    assert!(packets.iter().all(Packet::is_silence));
    assert!(bench.notices().contains(&Notice::Drained { flow }));
    assert!(
        producer.is_abandoned(),
        "the feed learns that nobody listens"
    );
}

#[test]
fn a_dry_source_gives_silence_then_nothing_then_a_notice_and_goes_on_by_itself() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 5);
    push_numbered(&mut producer, 0, 0, 5);
    bench.run(u64::from(STALL_MS) * MILLI / 2);
    assert_eq!(bench.packets().len(), 10);
    let notices = bench.notices();
    assert!(notices.contains(&Notice::Drained { flow }));
    assert!(
        !notices
            .iter()
            .any(|notice| matches!(notice, Notice::Stalled { .. }))
    );
    bench.run(u64::from(STALL_MS) * MILLI * 2);
    let stalled: Vec<Notice> = bench.notices();
    let for_ms = u64::from(STALL_MS);
    assert_eq!(
        stalled,
        [Notice::Stalled {
            flow,
            track: 5,
            for_ms
        }],
        "once per stall"
    );
    push_numbered(&mut producer, 0, 5, 5);
    bench.run(10 * PERIOD);
    let again = bench.packets();
    assert_eq!(
        again.iter().filter(|packet| !packet.is_silence()).count(),
        5
    );
}

#[test]
fn without_a_session_a_track_starts_and_holds() {
    let mut bench = Bench::new(8);
    let flow = bench.bare_flow();
    let mut producer = bench.play(flow, 3);
    bench.run(5 * PERIOD);
    assert!(bench.notices().is_empty());
    push_numbered(&mut producer, 0, 0, 10);
    bench.run(100 * PERIOD);
    assert_eq!(bench.notices(), [Notice::Started { flow, track: 3 }]);
    assert_eq!((bench.packets().len(), producer.len()), (0, 10));
    assert_eq!(
        bench.pacer.active_flows(),
        0,
        "a holding flow costs no wake-up"
    );
    bench.connect(flow);
    bench.run(5 * PERIOD);
    let packets = bench.packets();
    assert_eq!(packets[0].payload, [0; 40], "from the first frame on");
    bench.command(Command::Unlink { place: flow });
    bench.run(5 * PERIOD);
    assert!(bench.packets().is_empty());
    let held = producer.len();
    bench.run(100 * PERIOD);
    assert_eq!(producer.len(), held);
}

#[test]
fn a_flow_destroyed_while_playing_is_gone_at_once_and_freed_elsewhere() {
    let mut bench = Bench::new(8);
    let (gone, stays) = (bench.flow(), bench.flow());
    let mut producers = [bench.play(gone, 1), bench.play(stays, 2)];
    for producer in &mut producers {
        fill(producer, &[1; 60], 0);
    }
    bench.run(5 * PERIOD);
    bench.packets();
    bench.command(Command::Remove { place: gone });
    bench.run(5 * PERIOD);
    let packets = bench.packets();
    assert_eq!(packets.len(), 5);
    assert!(packets.iter().all(|packet| packet.from == stays));
    assert!(!producers[0].is_abandoned(), "the pacer frees nothing");
    bench.notices();
    assert!(producers[0].is_abandoned());
}

#[test]
fn a_flood_of_commands_delays_nobody() {
    let mut bench = Bench::new(8);
    let (busy, flooded) = (bench.flow(), bench.flow());
    let mut producer = bench.play(busy, 1);
    let mut tracks = Vec::new();
    for round in 0..20_u32 {
        for n in 0..1_000 {
            bench.pause(flooded, n % 2 == 0);
            tracks.push(bench.play(flooded, round * 1_000 + n));
        }
        fill(&mut producer, &[1; 60], 0);
        bench.run(PERIOD);
        bench.notices();
    }
    bench.run(PERIOD);
    let packets = bench.packets();
    assert!(packets.len() >= 20);
    assert!(
        packets
            .windows(2)
            .all(|pair| pair[1].at_ns - pair[0].at_ns == PERIOD)
    );
    bench.notices();
    let alive = tracks.iter().filter(|track| !track.is_abandoned()).count();
    assert_eq!(alive, 1, "all but the last feed are gone");
}

#[test]
fn garbage_that_nobody_collects_delays_commands_and_loses_nothing() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let tracks: Vec<_> = (0..10_000).map(|n| bench.play(flow, n)).collect();
    bench.run(50 * PERIOD);
    assert!(
        tracks.iter().all(|track| !track.is_abandoned()),
        "nothing is freed on the pacer"
    );
    for _ in 0..10 {
        bench.notices();
        bench.run(50 * PERIOD);
    }
    bench.notices();
    assert_eq!(
        tracks.iter().filter(|track| !track.is_abandoned()).count(),
        1
    );
}

#[test]
fn notices_wait_for_room_and_none_is_lost() {
    const FLOWS: u32 = 5_000;
    let mut bench = Bench::new(FLOWS as usize);
    let mut producers = Vec::new();
    for _ in 0..FLOWS {
        let flow = bench.flow();
        let mut producer = bench.play(flow, flow);
        push_numbered(&mut producer, 0, 0, 1);
        push_end(&mut producer);
        producers.push(producer);
    }
    bench.run(100 * PERIOD);
    let mut told = bench.notices();
    assert!(told.len() < FLOWS as usize * 3, "the ring was full");
    for _ in 0..4 {
        bench.run(2 * PERIOD);
        told.extend(bench.notices());
    }
    let count = |wanted: fn(&Notice) -> bool| told.iter().filter(|notice| wanted(notice)).count();
    assert_eq!(
        count(|notice| matches!(notice, Notice::Started { .. })),
        FLOWS as usize
    );
    assert_eq!(
        count(|notice| matches!(notice, Notice::Finished { .. })),
        FLOWS as usize
    );
    assert_eq!(
        count(|notice| matches!(notice, Notice::Drained { .. })),
        FLOWS as usize
    );
    assert_eq!(bench.pacer.tick(), None);
}

#[test]
fn many_flows_are_spread_over_the_period_and_few_share_a_wake_up() {
    let mut bench = Bench::new(2_000);
    let producers = RefCell::new(Vec::new());
    let add = |bench: &mut Bench, count: usize| {
        for _ in 0..count {
            let flow = bench.flow();
            let producer = bench.play(flow, flow);
            producers.borrow_mut().push(producer);
        }
    };
    let feed = || {
        for producer in producers.borrow_mut().iter_mut() {
            fill(producer, &[1; 60], 0);
        }
    };
    add(&mut bench, 8);
    feed();
    bench.run(PERIOD);
    let ticks = bench.run(50 * PERIOD);
    assert!(ticks <= 52, "{ticks} wake-ups for 8 flows in 50 periods");
    add(&mut bench, 1_992);
    bench.run_fed(3, feed);
    bench.packets();
    bench.run_fed(10, feed);
    let packets = bench.packets();
    assert_eq!(packets.len(), 20_000);
    let mut per_slot = [0; 20];
    for packet in &packets {
        per_slot[(packet.at_ns / MILLI % 20) as usize] += 1;
    }
    assert_eq!(per_slot, [1_000; 20]);
}

#[test]
fn a_feed_that_goes_away_without_an_end_is_told() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 8);
    push_numbered(&mut producer, 0, 0, 2);
    drop(producer);
    bench.run(20 * PERIOD);
    assert_eq!(bench.packets().len(), 7, "what was queued is played");
    let track = 8;
    let told = [
        Notice::Started { flow, track },
        Notice::Abandoned { flow, track },
        Notice::Drained { flow },
    ];
    assert_eq!(bench.notices(), told);
}

#[test]
fn more_pushed_frames_are_asked_for_once_per_batch() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.feed(flow, FeedKind::Pushed);
    let mut asked = Vec::new();
    for _ in 0..2 {
        push_numbered(&mut producer, 0, 0, 30);
        bench.shared[0].note_push();
        bench.command(Command::Poke { place: flow });
        bench.run(25 * PERIOD);
        asked.extend(bench.notices());
    }
    let wanted = asked
        .iter()
        .filter(|notice| matches!(notice, Notice::FramesWanted { .. }));
    assert_eq!(wanted.count(), 2);
    assert!(asked.contains(&Notice::FramesWanted { flow, count: 31 }));
    bench.run(60 * PERIOD);
    assert_eq!(
        bench.pacer.active_flows(),
        0,
        "pushed frames that ran out cost no wake-up"
    );
}

#[test]
fn a_socket_that_refuses_everything_is_told_once_and_counted() {
    let mut bench = Bench::new(8);
    let flow = bench.flow();
    let mut producer = bench.play(flow, 1);
    bench.refuse_packets(true);
    bench.run_fed(200, || {
        fill(&mut producer, &[1; 60], 0);
    });
    let failing = Notice::SendFailing {
        flow,
        generation: 1,
        os_error: 111,
    };
    let told: Vec<Notice> = bench.notices();
    assert_eq!(told, [Notice::Started { flow, track: 1 }, failing]);
    let stats = bench.shared[0].stats();
    assert_eq!((stats.packets_sent, stats.send_errors), (0, 200));
}

fn last(packets: Vec<Packet>) -> Packet {
    packets.into_iter().next_back().expect("something was sent")
}
