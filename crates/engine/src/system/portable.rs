//! Any system: the standard library's clock and sleep, a socket that sends to itself for a bell, and `poll`.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockRef, Socket};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// What the clock shows when it is first looked at; later than 0, so that a moment before can be told.
const FIRST_NS: u64 = NANOS_PER_SECOND;
/// Room for packets of others, so that a thread that is late loses none; the system may grant less.
const RECEIVE_BUFFER: usize = 2 << 20;

/// Nanoseconds of the system's monotonic clock.
pub(crate) fn now_ns() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = FIRST.get_or_init(Instant::now);
    FIRST_NS + first.elapsed().as_nanos() as u64
}

/// Waits until [`now_ns`] has reached `deadline_ns`; may return early.
pub(crate) fn sleep_until(deadline_ns: u64) {
    let wait_ns = deadline_ns.saturating_sub(now_ns());
    if wait_ns > 0 {
        thread::sleep(Duration::from_nanos(wait_ns));
    }
}

/// There is nothing to ask for here.
pub(crate) fn sharpen_this_thread() {}

/// What one thread waits for and others ring. A socket that is connected to itself: ringing is one system call that
/// never blocks, allocates or locks, and none at all while an earlier ring was not heard.
#[derive(Debug)]
pub struct Doorbell {
    socket: UdpSocket,
    /// Whether a datagram is on its way or waits.
    rung: AtomicBool,
}

impl Doorbell {
    /// Fails when the process has no socket left.
    pub fn new() -> io::Result<Doorbell> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(Doorbell {
            socket,
            rung: AtomicBool::new(false),
        })
    }

    /// Wakes whoever waits, or keeps it from waiting next time.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) && self.socket.send(&[1]).is_err() {
            // Nothing is on its way, so the next ring has to try again.
            self.rung.store(false, Ordering::SeqCst);
        }
    }

    /// Takes all rings so far. The datagram goes first: between the two nobody sends another, and who rings then has
    /// done before what the caller is going to look for.
    fn clear(&self) {
        while self.socket.recv(&mut [0; 8]).is_ok() {}
        self.rung.swap(false, Ordering::SeqCst);
    }
}

/// A wait that hears nothing looks again after this, should a ring have been lost.
const LONGEST_WAIT_NS: u64 = NANOS_PER_SECOND;

/// Waits for the bell and for sockets to become readable. Each wait costs in proportion to the number of sockets.
pub(crate) struct Poller {
    bell: Arc<Doorbell>,
    sockets: Vec<(u64, Arc<UdpSocket>)>,
}

impl Poller {
    pub(crate) fn new(bell: Arc<Doorbell>) -> io::Result<Poller> {
        Ok(Poller {
            bell,
            sockets: Vec::new(),
        })
    }

    /// Watches a socket under a token that is not 0.
    pub(crate) fn add(&mut self, socket: &Arc<UdpSocket>, token: u64) -> io::Result<()> {
        self.sockets.push((token, Arc::clone(socket)));
        Ok(())
    }

    /// Watches a socket no longer.
    pub(crate) fn remove(&mut self, _socket: &Arc<UdpSocket>, token: u64) {
        self.sockets.retain(|(other, _)| *other != token);
    }

    /// Waits for at most `timeout_ns`, puts the tokens of readable sockets into `ready`, and tells whether the bell
    /// was rung. Rings after that are told by the next wait.
    pub(crate) fn wait(&mut self, timeout_ns: Option<u64>, ready: &mut Vec<u64>) -> bool {
        let wait_ns = timeout_ns.unwrap_or(u64::MAX).min(LONGEST_WAIT_NS);
        let timeout = Timespec {
            tv_sec: (wait_ns / NANOS_PER_SECOND) as _,
            tv_nsec: (wait_ns % NANOS_PER_SECOND) as _,
        };
        let sockets = self.sockets.iter().map(|(_, socket)| &**socket);
        let mut polled: Vec<PollFd<'_>> = std::iter::once(&self.bell.socket)
            .chain(sockets)
            .map(|socket| PollFd::new(socket, PollFlags::IN))
            .collect();
        // An interrupted wait is a wait that ended early.
        if poll(&mut polled, Some(&timeout)).is_err() {
            return false;
        }
        // Errors of a socket are told by reading it.
        let mut heard = polled.iter().map(|polled| !polled.revents().is_empty());
        let rang = heard.next().unwrap_or(false);
        let tokens = self.sockets.iter().zip(heard);
        ready.extend(
            tokens
                .filter(|(_, heard)| *heard)
                .map(|((token, _), _)| *token),
        );
        if rang {
            self.bell.clear();
        }
        rang
    }
}

/// Left to the system: no packet here is longer than what every network carries in one piece.
pub(crate) fn forbid_fragments(_socket: &Socket) -> io::Result<()> {
    Ok(())
}

/// Makes room for media. What is not wanted comes in too, and is dropped after it was read.
pub(crate) fn set_media_wanted(socket: &UdpSocket, wanted: bool) {
    if wanted {
        // Without the room everything works, only less well.
        let _ = SockRef::from(socket).set_recv_buffer_size(RECEIVE_BUFFER);
    }
}
