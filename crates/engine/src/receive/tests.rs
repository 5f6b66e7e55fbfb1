//! Listener and worker together, under a clock that tests move: packets in, batches and files out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use cadenza_proto::SILENCE_FRAME;
use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Sealer, TransportMode};
use cadenza_testkit::{LinkConfig, LossyLink};

use super::hearing::Hearing;
use super::listener::{ListenCommand, Listener, Way, Ways};
use super::stats::ListenShared;
use super::worker::{ManualWorker, Order, WorkerPort};
use super::*;

const MS: u64 = 1_000_000;
const FLOW: u32 = 1;
const ALICE: u64 = 11;
const BOB: u64 = 22;
const KEY: [u8; 32] = [5; 32];
const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;

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

/// A listener and a worker, tied together without threads.
struct Bench {
    now_ns: u64,
    listener: Listener,
    worker: ManualWorker,
    hearing: Hearing,
    shared: Arc<ListenShared>,
    sealer: Sealer,
    events: Arc<Mutex<Vec<ReceiveEvent>>>,
    seen: Vec<Piece>,
    takes: bool,
}

struct Piece {
    user: u64,
    ssrc: u32,
    kind: u8,
    position: u64,
    samples: u32,
    data: Vec<u8>,
}

impl Bench {
    fn hearing(request: ReceiveRequest) -> Bench {
        let mut users = Users::none();
        request.outputs.iter().for_each(|one| users.add(&one.users));
        let (mut bench, port) = Bench::new();
        let order = Order::Outputs {
            flow: FLOW,
            shared: Arc::clone(&bench.shared),
            request: Some(request),
        };
        bench.hearing.order(order, 0);
        bench.listen(users, port);
        bench
    }

    fn recording(requests: &[RecordRequest]) -> Bench {
        let (mut bench, port) = Bench::new();
        for (id, request) in (1..).zip(requests) {
            let order = Order::Record {
                flow: FLOW,
                shared: Arc::clone(&bench.shared),
                id,
                request: request.clone(),
            };
            bench.hearing.order(order, 0);
        }
        bench.listen(Users::All, port);
        bench
    }

    fn new() -> (Bench, WorkerPort) {
        let (port, worker) = ManualWorker::new();
        let events: Arc<Mutex<Vec<ReceiveEvent>>> = Arc::default();
        let told = Arc::clone(&events);
        let tell = move |_, event| told.lock().expect("no test panicked").push(event);
        let mut listener = Listener::new(FLOW);
        listener.new_transport(1);
        listener.command(ListenCommand::Session {
            mode: MODE,
            key: KEY,
        });
        let bench = Bench {
            now_ns: 0,
            listener,
            worker,
            hearing: Hearing::new(Box::new(tell)),
            shared: Arc::default(),
            sealer: Sealer::new(MODE, &KEY, [0; 24]),
            events,
            seen: Vec::new(),
            takes: true,
        };
        (bench, port)
    }

    fn listen(&mut self, users: Users, port: WorkerPort) {
        let ways = Some(Ways {
            shared: Arc::clone(&self.shared),
            ways: vec![Way { users, port }],
        });
        self.listener.command(ListenCommand::Ways(ways));
    }

    fn map(&mut self, ssrc: u32, user: u64) {
        self.listener.command(ListenCommand::Map { ssrc, user });
    }

    fn seal(&mut self, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let header = RtpHeader {
            sequence: Sequence(sequence),
            timestamp: Timestamp(timestamp),
            ssrc: Ssrc(ssrc),
        };
        let mut out = vec![0; 2_048];
        let len = self.sealer.seal(&header, payload, &mut out).expect("room");
        out.truncate(len);
        out
    }

    fn hear(&mut self, datagram: &[u8]) {
        self.listener.hear(self.now_ns, &mut datagram.to_vec());
        self.worker.run(&mut self.hearing, self.now_ns);
    }

    fn pass(&mut self, by_ns: u64) {
        let until_ns = self.now_ns + by_ns;
        while self.now_ns < until_ns {
            self.now_ns = (self.now_ns + 5 * MS).min(until_ns);
            self.listener.tend(self.now_ns);
            self.worker.run(&mut self.hearing, self.now_ns);
        }
        if !self.takes {
            return;
        }
        while let Some(batch) = self.shared.audio.pop() {
            read(&batch, &mut self.seen);
        }
    }

    fn pieces(&mut self) -> Vec<Piece> {
        self.pass(500 * MS);
        std::mem::take(&mut self.seen)
    }

    fn ended(&self) -> Vec<Vec<RecordedFile>> {
        let events = self.events.lock().expect("no test panicked");
        let files = events.iter().filter_map(|event| match event {
            ReceiveEvent::RecordingEnded { files, .. } => Some(files.clone()),
            _ => None,
        });
        files.collect()
    }
}

fn read(batch: &[u8], out: &mut Vec<Piece>) {
    let word = |at: usize| u32::from_le_bytes(batch[at..at + 4].try_into().expect("four"));
    let long = |at: usize| u64::from_le_bytes(batch[at..at + 8].try_into().expect("eight"));
    let mut at = 0;
    while at < batch.len() {
        let (ssrc, user, pieces) = (word(at + 4), long(at + 8), word(at + 16));
        at += 24;
        for _ in 0..pieces {
            let len = word(at + 20) as usize;
            out.push(Piece {
                user,
                ssrc,
                kind: batch[at],
                position: long(at + 8),
                samples: word(at + 16),
                data: batch[at + 24..at + 24 + len].to_vec(),
            });
            at += 24 + len.next_multiple_of(4);
        }
    }
}

fn assert_unbroken(pieces: &[Piece]) {
    for pair in pieces.windows(2) {
        assert_eq!(
            pair[1].position,
            pair[0].position + u64::from(pair[0].samples)
        );
    }
}

fn opus(id: u32, users: Users) -> ReceiveRequest {
    ReceiveRequest {
        outputs: vec![OutputRequest {
            id,
            users,
            format: OutputFormat::Opus,
        }],
        batch_ms: 20,
    }
}

fn record(user: Option<u64>, path: &str, from_start: bool) -> RecordRequest {
    RecordRequest {
        user,
        path: path.to_owned(),
        container: RecordContainer::Wav(PcmFormat::new(48_000, 1).expect("a known format")),
        from_start,
    }
}

/// A packet of 20 ms (CELT) whose content is its number.
fn numbered(number: u32) -> Vec<u8> {
    let mut packet = vec![0xFC];
    packet.extend(number.to_be_bytes());
    packet
}

fn number_of(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[1..5].try_into().expect("four bytes"))
}

/// A packet of 20 ms that is not silent: noise decodes to something.
fn loud() -> Vec<u8> {
    use cadenza_audio::opus::Encoder;
    let mut encoder = Encoder::new(&crate::EncoderSettings::default()).expect("an encoder");
    let mut out = [0; 1_275];
    let mut len = 0;
    for _ in 0..3 {
        let pcm: Vec<f32> = (0..1_920)
            .map(|n| ((n / 2) as f32 * 0.1).sin() * 0.5)
            .collect();
        let pcm = pcm.as_slice().try_into().expect("one frame");
        len = encoder.encode(pcm, &mut out).expect("a packet");
    }
    out[..len].to_vec()
}

fn broken_copy(datagram: &[u8]) -> Vec<u8> {
    let mut copy = datagram.to_vec();
    copy[20] ^= 1;
    copy
}

fn samples(path: &str) -> Vec<i16> {
    let bytes = std::fs::read(path).expect("the file was written");
    let len = u32::from_le_bytes(bytes[40..44].try_into().expect("four"));
    assert_eq!(
        len as usize,
        bytes.len() - 44,
        "the header knows the length"
    );
    let pairs = bytes[44..].chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// The whole seconds in which somebody talks most of the time.
fn talk(samples: &[i16]) -> Vec<usize> {
    let seconds = samples.chunks(48_000).enumerate();
    let loud =
        |second: &&[i16]| second.iter().filter(|one| one.unsigned_abs() > 500).count() > 24_000;
    seconds
        .filter(|(_, second)| loud(second))
        .map(|(at, _)| at)
        .collect()
}
