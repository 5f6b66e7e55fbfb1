//! A listener and a worker without threads, and what tests feed them.

use std::sync::{Arc, Mutex};

use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Sealer, TransportMode};

use super::super::hearing::Hearing;
use super::super::listener::{ListenCommand, Listener, Way, Ways};
use super::super::stats::ListenShared;
use super::super::worker::{ManualWorker, Order, WorkerPort};
use super::super::*;

pub(super) const MS: u64 = 1_000_000;
pub(super) const FLOW: u32 = 1;
pub(super) const ALICE: u64 = 11;
pub(super) const BOB: u64 = 22;
pub(super) const KEY: [u8; 32] = [5; 32];
pub(super) const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;

/// A listener and a worker, tied together without threads.
pub(super) struct Bench {
    pub(super) now_ns: u64,
    pub(super) listener: Listener,
    pub(super) worker: ManualWorker,
    pub(super) hearing: Hearing,
    pub(super) shared: Arc<ListenShared>,
    pub(super) sealer: Sealer,
    pub(super) events: Arc<Mutex<Vec<ReceiveEvent>>>,
    pub(super) seen: Vec<Piece>,
    pub(super) takes: bool,
}

pub(super) struct Piece {
    pub(super) user: u64,
    pub(super) ssrc: u32,
    pub(super) kind: u8,
    pub(super) position: u64,
    pub(super) samples: u32,
    pub(super) data: Vec<u8>,
}

impl Bench {
    pub(super) fn hearing(request: ReceiveRequest) -> Bench {
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

    pub(super) fn recording(requests: &[RecordRequest]) -> Bench {
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

    pub(super) fn new() -> (Bench, WorkerPort) {
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

    pub(super) fn listen(&mut self, users: Users, port: WorkerPort) {
        let ways = Some(Ways {
            shared: Arc::clone(&self.shared),
            ways: vec![Way { users, port }],
        });
        self.listener.command(ListenCommand::Ways(ways));
    }

    pub(super) fn map(&mut self, ssrc: u32, user: u64) {
        self.listener.command(ListenCommand::Map { ssrc, user });
    }

    pub(super) fn seal(
        &mut self,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> Vec<u8> {
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

    pub(super) fn hear(&mut self, datagram: &[u8]) {
        self.listener.hear(self.now_ns, &mut datagram.to_vec());
        self.worker.run(&mut self.hearing, self.now_ns);
    }

    pub(super) fn pass(&mut self, by_ns: u64) {
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

    pub(super) fn pieces(&mut self) -> Vec<Piece> {
        self.pass(500 * MS);
        std::mem::take(&mut self.seen)
    }

    pub(super) fn ended(&self) -> Vec<Vec<RecordedFile>> {
        let events = self.events.lock().expect("no test panicked");
        let files = events.iter().filter_map(|event| match event {
            ReceiveEvent::RecordingEnded { files, .. } => Some(files.clone()),
            _ => None,
        });
        files.collect()
    }
}

pub(super) fn read(batch: &[u8], out: &mut Vec<Piece>) {
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

pub(super) fn assert_unbroken(pieces: &[Piece]) {
    for pair in pieces.windows(2) {
        assert_eq!(
            pair[1].position,
            pair[0].position + u64::from(pair[0].samples)
        );
    }
}

pub(super) fn opus(id: u32, users: Users) -> ReceiveRequest {
    ReceiveRequest {
        outputs: vec![OutputRequest {
            id,
            users,
            format: OutputFormat::Opus,
        }],
        batch_ms: 20,
    }
}

pub(super) fn record(user: Option<u64>, path: &str, from_start: bool) -> RecordRequest {
    RecordRequest {
        user,
        path: path.to_owned(),
        container: RecordContainer::Wav(PcmFormat::new(48_000, 1).expect("a known format")),
        from_start,
    }
}

/// A packet of 20 ms (CELT) whose content is its number.
pub(super) fn numbered(number: u32) -> Vec<u8> {
    let mut packet = vec![0xFC];
    packet.extend(number.to_be_bytes());
    packet
}

pub(super) fn number_of(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[1..5].try_into().expect("four bytes"))
}

/// A packet of 20 ms that is not silent: noise decodes to something.
pub(super) fn loud() -> Vec<u8> {
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

pub(super) fn broken_copy(datagram: &[u8]) -> Vec<u8> {
    let mut copy = datagram.to_vec();
    copy[20] ^= 1;
    copy
}

pub(super) fn samples(path: &str) -> Vec<i16> {
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
pub(super) fn talk(samples: &[i16]) -> Vec<usize> {
    let seconds = samples.chunks(48_000).enumerate();
    let loud =
        |second: &&[i16]| second.iter().filter(|one| one.unsigned_abs() > 500).count() > 24_000;
    seconds
        .filter(|(_, second)| loud(second))
        .map(|(at, _)| at)
        .collect()
}
