//! Receives every call's packets in a process of its own and says how late they were.
//!
//! `receiver SOCKETS [FRAMES]` binds so many ports and prints them. FRAMES is a file of length-prefixed
//! Opus frames that opened packets are compared with; without it nothing is opened. Then it follows
//! lines on its standard input: `start` forgets what came before, `report` and `report firsts` print a
//! line of JSON. It ends with its input.
//!
//! It looks at its sockets every few milliseconds and takes arrival times from the kernel: a receiver
//! that slept in a read would have each packet's sender pay for waking it.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use cadenza_benchmark::batch::{Batch, StampedSocket};
use cadenza_benchmark::flows::Flows;
use cadenza_benchmark::responder;

const LOOK_EVERY: Duration = Duration::from_millis(4);

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let sockets = arguments.next().and_then(|count| count.parse().ok());
    let frames = arguments.next().map(std::fs::read).transpose()?;
    let known = frames.map_or_else(HashSet::new, |file| split_frames(&file));
    let sockets: Vec<StampedSocket> = (0..sockets.unwrap_or(1_usize))
        .map(|_| StampedSocket::bind())
        .collect::<io::Result<_>>()?;
    let ports: Vec<u16> = sockets
        .iter()
        .map(StampedSocket::port)
        .collect::<io::Result<_>>()?;
    say(&format!("{{\"ports\":{ports:?}}}"))?;
    follow(&sockets, Flows::expecting(known), &lines())
}

fn follow(sockets: &[StampedSocket], mut flows: Flows, lines: &Receiver<String>) -> io::Result<()> {
    let mut batch = Batch::default();
    loop {
        take_all(sockets, &mut batch, &mut flows);
        match lines.try_recv() {
            Ok(line) => match line.trim() {
                "start" => {
                    flows.clear();
                    say("{}")?;
                }
                "report" => say(&flows.report(false))?,
                "report firsts" => say(&flows.report(true))?,
                _ => say("{\"error\":\"unknown command\"}")?,
            },
            Err(TryRecvError::Empty) => std::thread::sleep(LOOK_EVERY),
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

fn take_all(sockets: &[StampedSocket], batch: &mut Batch, flows: &mut Flows) {
    for socket in sockets {
        loop {
            let taken = batch.receive(socket);
            for at in 0..taken {
                let datagram = batch.datagram(at);
                match responder::answer(datagram.bytes, datagram.from) {
                    Some(answer) => socket.answer(&answer, datagram.from),
                    None => flows.take(datagram.bytes, datagram.at_ns),
                }
            }
            if taken < Batch::SIZE {
                break;
            }
        }
    }
}

/// Lines of the standard input, read on a thread of their own.
fn lines() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn split_frames(mut file: &[u8]) -> HashSet<Vec<u8>> {
    let mut frames = HashSet::new();
    while let Some((length, rest)) = file.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (frame, rest) = rest.split_at(length);
        frames.insert(frame.to_vec());
        file = rest;
    }
    frames
}
