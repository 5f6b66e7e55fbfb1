//! What encryption costs a packet: `seal-cost FRAMES` seals the frames of a file again and again, with and
//! without end-to-end encryption inside, and prints nanoseconds of this thread's CPU time as JSON.

use std::hint::black_box;
use std::io;

use cadenza_proto::MAX_DATAGRAM;
use cadenza_proto::clock_line::RtpClock;
use cadenza_proto::dave::{BaseKey, FrameSealer};
use cadenza_proto::rtp::{Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Opener, Sealer, TransportMode};
use rustix::time::{ClockId, clock_gettime};

const MODE: TransportMode = TransportMode::Aes256GcmRtpsize;
const KEY: [u8; 32] = [7; 32];
const ROUNDS: usize = 200_000;
/// Room behind a frame for what end-to-end encryption adds.
const SLACK: usize = 32;

fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let frames = split(&std::fs::read(path)?);
    if frames.is_empty() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let seal_ns = measure(&frames, None);
    let dave_ns = measure(&frames, Some(FrameSealer::new(&BaseKey::new([9; 16]))));
    let open_ns = measure_open(&frames);
    io::Write::write_all(
        &mut io::stdout(),
        format!(
            "{{\"sealNs\":{seal_ns:.1},\"daveSealNs\":{dave_ns:.1},\"openNs\":{open_ns:.1}}}\n"
        )
        .as_bytes(),
    )
}

fn measure(frames: &[Vec<u8>], mut dave: Option<FrameSealer>) -> f64 {
    let mut sealer = Sealer::new(MODE, &KEY, [0; 24]);
    let mut clock = RtpClock::new(Ssrc(1), Sequence(0), Timestamp(0), 0);
    let mut payload = [0; MAX_DATAGRAM];
    let mut out = [0; MAX_DATAGRAM];
    let began = cpu_ns();
    for (round, frame) in frames.iter().cycle().take(ROUNDS).enumerate() {
        payload[..frame.len()].copy_from_slice(frame);
        let room = &mut payload[..frame.len() + SLACK];
        let len = match &mut dave {
            Some(dave) => dave.seal_in_place(room, frame.len()).unwrap_or(0),
            None => frame.len(),
        };
        let header = clock.stamp(round as u64 * cadenza_proto::FRAME_NANOS);
        let sealed = sealer.seal(&header, &payload[..len], &mut out);
        let _ = black_box(sealed);
    }
    (cpu_ns() - began) as f64 / ROUNDS as f64
}

fn measure_open(frames: &[Vec<u8>]) -> f64 {
    let mut sealer = Sealer::new(MODE, &KEY, [0; 24]);
    let mut clock = RtpClock::new(Ssrc(1), Sequence(0), Timestamp(0), 0);
    let opener = Opener::new(MODE, &KEY);
    let mut packets: Vec<Vec<u8>> = Vec::new();
    for (n, frame) in frames.iter().cycle().take(ROUNDS / 10).enumerate() {
        let mut out = [0; MAX_DATAGRAM];
        let header = clock.stamp(n as u64 * cadenza_proto::FRAME_NANOS);
        let len = sealer.seal(&header, frame, &mut out).unwrap_or(0);
        packets.push(out[..len].to_vec());
    }
    let began = cpu_ns();
    for packet in &mut packets {
        let _ = black_box(opener.open(packet).is_ok());
    }
    (cpu_ns() - began) as f64 / packets.len() as f64
}

fn split(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (frame, rest) = rest.split_at(length);
        if frame.len() + SLACK <= 1275 {
            frames.push(frame.to_vec());
        }
        file = rest;
    }
    frames
}

fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
