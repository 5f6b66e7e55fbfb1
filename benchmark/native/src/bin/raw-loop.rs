//! The ceiling: the bare system calls, with packets that are ready and no encryption.
//!
//! `raw-loop CALLS FRAMES PORT...` opens a connected socket per call and sends a packet from each every
//! 20 ms, waiting with `clock_nanosleep` in between. Packets are as long as sealed ones. It prints
//! `{"ready":true}`, sends from then on, and ends with its standard input.

use std::io::{self, Read, Write};
use std::net::UdpSocket;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::{ClockId, clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{Timespec, clock_gettime};

const PERIOD_NS: i64 = 20_000_000;
const SECOND_NS: i64 = 1_000_000_000;
const HEADER_LEN: usize = 12;
/// Bytes that sealing adds behind a frame: tag and counter.
const SEAL_LEN: usize = 20;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || io::Error::other("usage: raw-loop CALLS FRAMES PORT...");
    let calls: u32 = arguments
        .next()
        .and_then(|n| n.parse().ok())
        .ok_or_else(usage)?;
    let frames = std::fs::read(arguments.next().ok_or_else(usage)?)?;
    let ports: Vec<u16> = arguments.filter_map(|port| port.parse().ok()).collect();
    if ports.is_empty() {
        return Err(usage());
    }
    say("{\"loaded\":true}")?;
    let mut go = [0; 1];
    io::stdin().read_exact(&mut go)?;
    let sockets: Vec<UdpSocket> = (1..=calls)
        .map(|ssrc| connected(ports[ssrc as usize % ports.len()]))
        .collect::<io::Result<_>>()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        stopped.store(true, Ordering::Relaxed);
    });
    say("{\"ready\":true}")?;
    run(&sockets, &packets(&frames), &stop);
    Ok(())
}

fn connected(port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    socket.connect(("127.0.0.1", port))?;
    Ok(socket)
}

/// Packets that lack only what differs from call to call and from period to period.
fn packets(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some((length, rest)) = frames.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (frame, rest) = rest.split_at(length);
        let mut packet = vec![0; HEADER_LEN];
        packet[..2].copy_from_slice(&[0x80, 0x78]);
        packet.extend(frame);
        packet.resize(HEADER_LEN + length + SEAL_LEN, 0);
        packets.push(packet);
        frames = rest;
    }
    packets
}

fn run(sockets: &[UdpSocket], packets: &[Vec<u8>], stop: &AtomicBool) {
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    let mut due = clock_gettime(ClockId::Monotonic);
    let mut packet = Vec::new();
    for period in 0_u32.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        packet.clone_from(&packets[period as usize % packets.len()]);
        packet[2..4].copy_from_slice(&(period as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&period.wrapping_mul(960).to_be_bytes());
        for (ssrc, socket) in (1_u32..).zip(sockets) {
            packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
            let _ = socket.send(&packet);
        }
        due = after(due, PERIOD_NS);
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &due);
    }
}

fn after(time: Timespec, ns: i64) -> Timespec {
    let total = time.tv_nsec + ns;
    Timespec {
        tv_sec: time.tv_sec + total / SECOND_NS,
        tv_nsec: total % SECOND_NS,
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
