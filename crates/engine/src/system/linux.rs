//! Linux: `clock_nanosleep`, eventfd, epoll and socket filters.

use std::io;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use rustix::thread::{ClockId, clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{Timespec, clock_gettime};
use socket2::{SockFilter, SockRef, Socket};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// `CLOCK_MONOTONIC` in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * NANOS_PER_SECOND + now.tv_nsec as u64
}

/// Waits until [`now_ns`] has reached `deadline_ns`; may return early.
pub(crate) fn sleep_until(deadline_ns: u64) {
    // An interrupted sleep returns early, and the pacer looks at the clock again anyway.
    let _ = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(deadline_ns));
}

/// Asks the system to wake the calling thread without the usual 50 µs of slack.
pub(crate) fn sharpen_this_thread() {
    // A kernel that refuses wakes us a little later; nothing else depends on it.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
}

/// What one thread waits for and others ring. An eventfd: ringing is one system call that never blocks, allocates or
/// locks.
#[derive(Debug)]
pub struct Doorbell(OwnedFd);

impl Doorbell {
    /// Fails when the process has no file descriptor left.
    pub fn new() -> io::Result<Doorbell> {
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        Ok(Doorbell(eventfd(0, flags)?))
    }

    /// Wakes whoever waits, or keeps it from waiting next time.
    pub fn ring(&self) {
        // It can only fail when the counter is full, and then it is readable already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Takes all rings so far.
    fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// The bell's token among the sockets' tokens, which begin at 1.
const BELL: u64 = 0;
/// Sockets that one look can find readable; more are found by the next.
const EVENTS: usize = 256;

/// Waits for the bell and for sockets to become readable.
pub(crate) struct Poller {
    epoll: OwnedFd,
    bell: Arc<Doorbell>,
}

impl Poller {
    pub(crate) fn new(bell: Arc<Doorbell>) -> io::Result<Poller> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(BELL);
        epoll::add(&epoll, &bell.0, data, epoll::EventFlags::IN)?;
        Ok(Poller { epoll, bell })
    }

    /// Watches a socket under a token that is not 0.
    pub(crate) fn add(&mut self, socket: &Arc<UdpSocket>, token: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(
            &self.epoll,
            &**socket,
            data,
            epoll::EventFlags::IN,
        )?)
    }

    /// Watches a socket no longer.
    pub(crate) fn remove(&mut self, socket: &Arc<UdpSocket>, _token: u64) {
        // The pacer may still hold the socket, so it has to be taken out explicitly.
        let _ = epoll::delete(&self.epoll, &**socket);
    }

    /// Waits for at most `timeout_ns`, puts the tokens of readable sockets into `ready`, and tells whether the bell
    /// was rung. Rings after that are told by the next wait.
    pub(crate) fn wait(&mut self, timeout_ns: Option<u64>, ready: &mut Vec<u64>) -> bool {
        let mut space = [const { MaybeUninit::uninit() }; EVENTS];
        let timeout = timeout_ns.map(timespec);
        // An interrupted wait is a wait that ended early.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut space, timeout.as_ref()) else {
            return false;
        };
        let mut rang = false;
        for event in events {
            match event.data.u64() {
                BELL => rang = true,
                token => ready.push(token),
            }
        }
        if rang {
            self.bell.clear();
        }
        rang
    }
}

/// Voice packets are small; fragments would only hide that one was not.
pub(crate) fn forbid_fragments(socket: &Socket) -> io::Result<()> {
    Ok(set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DO)?)
}

/// Room for packets of others, so that a thread that is late loses none; the system may grant less.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The longest datagram that is no media, a discovery answer, with its UDP header.
const LONGEST_CONTROL: u32 = 74 + 8;
/// Lets discovery answers and pongs through and drops media: what is longer, and what begins with RTP's
/// version. A socket filter sees the UDP header, eight bytes, before the payload.
const NO_MEDIA: [SockFilter; 7] = [
    // A = length; longer than control: drop.
    SockFilter::new(0x80, 0, 0, 0),
    SockFilter::new(0x25, 4, 0, LONGEST_CONTROL),
    // A = first payload byte, its version bits.
    SockFilter::new(0x30, 0, 0, 8),
    SockFilter::new(0x54, 0, 0, 0xC0),
    SockFilter::new(0x15, 1, 0, 0x80),
    SockFilter::new(0x06, 0, 0, u32::MAX),
    SockFilter::new(0x06, 0, 0, 0),
];

/// Takes media in, or lets the system drop it before it wakes anybody.
pub(crate) fn set_media_wanted(socket: &UdpSocket, wanted: bool) {
    let socket = SockRef::from(socket);
    // Without the filter, or the room, everything works, only less well.
    let _ = if wanted {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.detach_filter()
    } else {
        socket.attach_filter(&NO_MEDIA)
    };
}

fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: (ns / NANOS_PER_SECOND) as i64,
        tv_nsec: (ns % NANOS_PER_SECOND) as i64,
    }
}
