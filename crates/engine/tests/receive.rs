//! Hearing over real sockets: many speakers at once, nothing left behind, nothing read where nobody listens.

mod support;

use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use cadenza_engine::receive::{OutputFormat, OutputRequest, PcmFormat, ReceiveRequest, Users};
use cadenza_engine::{FlowId, TransportMode};
use cadenza_proto::rtp::{RtpHeader, Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::Sealer;
use support::engine::{Harness, wait_for};

const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;
const KEY: [u8; 32] = [9; 32];
const SPEAKERS: u32 = 10;

#[test]
fn two_hundred_speakers_on_a_clean_link_lose_nothing() {
    const FLOWS: u32 = 20;
    const FRAMES: u32 = 100;
    let harness = Harness::start();
    let mut server = Server::start();
    let flows: Vec<FlowId> = (0..FLOWS)
        .map(|_| listening(&harness, &mut server))
        .collect();
    for frame in 0..FRAMES {
        for flow in &flows {
            for speaker in 0..SPEAKERS {
                server.say(*flow, speaker, frame);
            }
        }
        // A socket's buffer, and the queue to the worker, hold a few frames of ten speakers, whatever the machine is busy with.
        wait_for("the packets to be taken", || {
            let behind = flows.iter().any(|flow| {
                let users = harness.engine.receive_stats(*flow).users;
                let taken: u64 = users.iter().map(|user| user.packets).sum();
                taken + u64::from(10 * SPEAKERS) < u64::from((frame + 1) * SPEAKERS)
            });
            (!behind).then_some(())
        });
    }
    for flow in flows {
        let mut heard: HashMap<u64, Vec<u32>> = HashMap::new();
        wait_for("all packets", || {
            while let Some(batch) = harness.engine.take_audio(flow) {
                read(&batch, |user, packet| {
                    heard.entry(user).or_default().push(packet)
                });
            }
            let count: usize = heard.values().map(Vec::len).sum();
            (count == (SPEAKERS * FRAMES) as usize).then_some(())
        });
        for (user, packets) in heard {
            let expected: Vec<u32> = (0..FRAMES).collect();
            assert_eq!(packets, expected, "user {user}");
        }
        let stats = harness.engine.receive_stats(flow);
        assert_eq!((stats.queue_dropped, stats.batches_dropped), (0, 0));
        assert!(stats.users.iter().all(|user| user.lost + user.late == 0));
    }
}

#[test]
fn a_thousand_listening_flows_leave_nothing_behind() {
    let harness = Harness::start();
    let mut server = Server::start();
    let mut grown = Vec::new();
    for _ in 0..4 {
        let flows: Vec<FlowId> = (0..250).map(|_| listening(&harness, &mut server)).collect();
        for frame in 0..3 {
            for flow in &flows {
                (0..SPEAKERS).for_each(|speaker| server.say(*flow, speaker, frame));
            }
        }
        for flow in flows {
            wait_for("its packets", || {
                let stats = harness.engine.receive_stats(flow);
                (stats.packets == 3 * u64::from(SPEAKERS)).then_some(())
            });
            harness.engine.destroy_flow(flow);
            assert_eq!(harness.engine.receive_stats(flow).packets, 0, "forgotten");
        }
        server.forget();
        let descriptors = wait_for("sockets to be closed", || {
            let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
            (open < 150).then_some(open)
        });
        grown.push((descriptors, resident_kib()));
    }
    let (first, last) = (grown[1], grown[3]);
    assert!(
        last.1 < first.1 + 16 * 1_024,
        "resident KiB and descriptors by round: {grown:?}"
    );
}

/// Elsewhere they are read and thrown away: only Linux has a filter that a socket can put before its queue.
#[cfg(all(target_os = "linux", not(feature = "portable")))]
#[test]
fn packets_are_not_even_read_where_nobody_listens() {
    let harness = Harness::start();
    let mut server = Server::start();
    let flow = listening(&harness, &mut server);
    server.say(flow, 0, 0);
    wait_for("the packet", || {
        (harness.engine.receive_stats(flow).packets == 1).then_some(())
    });
    harness
        .engine
        .set_receiving(flow, None)
        .expect("the flow exists");
    let datagrams = || {
        let stats = harness.engine.flow_stats(flow).expect("the flow exists");
        stats.datagrams_received
    };
    // Keepalives are answered meanwhile, so a few datagrams may come.
    let before = datagrams();
    (1..200).for_each(|frame| server.say(flow, 0, frame));
    let request = Some(request());
    harness
        .engine
        .set_receiving(flow, request)
        .expect("the flow exists");
    server.say(flow, 0, 200);
    wait_for("the packet after", || {
        (harness.engine.receive_stats(flow).packets == 2).then_some(())
    });
    assert!(
        datagrams() - before < 20,
        "{} datagrams",
        datagrams() - before
    );
}

/// A flow that hears ten speakers, whose user ids are their SSRCs.
fn listening(harness: &Harness, server: &mut Server) -> FlowId {
    let flow = harness.engine.create_flow().expect("there is room");
    harness.open(flow, server.address, flow, 1);
    server.meet(flow);
    harness
        .engine
        .start_session(flow, MODE, KEY)
        .expect("a transport is open");
    (0..SPEAKERS).for_each(|ssrc| harness.engine.map_ssrc(flow, ssrc + 1, u64::from(ssrc + 1)));
    harness
        .engine
        .set_receiving(flow, Some(request()))
        .expect("the flow exists");
    flow
}

/// Packets as they are for one, samples for nobody in particular: both ways are walked.
fn request() -> ReceiveRequest {
    let output = |id, users, format| OutputRequest { id, users, format };
    let telephone = PcmFormat::new(8_000, 1).expect("a known format");
    ReceiveRequest {
        outputs: vec![
            output(1, Users::All, OutputFormat::Opus),
            output(2, Users::Only([1].into()), OutputFormat::Pcm(telephone)),
        ],
        batch_ms: 20,
    }
}

/// Calls `heard` with user and number of each Opus packet in a batch.
fn read(batch: &[u8], mut heard: impl FnMut(u64, u32)) {
    let word = |at: usize| u32::from_le_bytes(batch[at..at + 4].try_into().expect("four"));
    let mut at = 0;
    while at < batch.len() {
        let (output, user, pieces) = (word(at), u64::from(word(at + 8)), word(at + 16));
        at += 24;
        for _ in 0..pieces {
            let len = word(at + 20) as usize;
            let payload = &batch[at + 24..at + 24 + len];
            if output == 1 && batch[at] == 0 {
                heard(
                    user,
                    u32::from_be_bytes(payload[1..5].try_into().expect("four")),
                );
            }
            at += 24 + len.next_multiple_of(4);
        }
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A voice server's UDP side that knows each flow by its SSRC.
struct Server {
    socket: UdpSocket,
    address: SocketAddrV4,
    clients: HashMap<u32, SocketAddr>,
    sealer: Sealer,
}

impl Server {
    fn start() -> Server {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let Ok(SocketAddr::V4(address)) = socket.local_addr() else {
            panic!("loopback is IPv4");
        };
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("the timeout is not zero");
        Server {
            socket,
            address,
            clients: HashMap::new(),
            sealer: Sealer::new(MODE, &KEY, [0; 24]),
        }
    }

    /// Reads until the flow with this SSRC has asked for its address.
    fn meet(&mut self, ssrc: u32) {
        let mut buffer = [0; 2_048];
        while !self.clients.contains_key(&ssrc) {
            let (len, from) = self.socket.recv_from(&mut buffer).expect("a request");
            if len == 74 && buffer.starts_with(&[0, 1]) {
                let asker = u32::from_be_bytes(buffer[4..8].try_into().expect("four"));
                self.clients.insert(asker, from);
            }
        }
    }

    fn forget(&mut self) {
        self.clients.clear();
    }

    /// Sends a flow a speaker's numbered packet.
    fn say(&mut self, flow: u32, speaker: u32, number: u32) {
        let header = RtpHeader {
            sequence: Sequence(number as u16),
            timestamp: Timestamp(number * 960),
            ssrc: Ssrc(speaker + 1),
        };
        let mut payload = [0xFC; 5];
        payload[1..].copy_from_slice(&number.to_be_bytes());
        let mut out = [0; 200];
        let len = self.sealer.seal(&header, &payload, &mut out).expect("room");
        let client = self.clients[&flow];
        self.socket
            .send_to(&out[..len], client)
            .expect("loopback takes it");
    }
}
