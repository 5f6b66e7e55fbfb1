//! Many datagrams with one system call, each with the time at which the kernel took it in.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams taken at once.
const BATCH: usize = 64;
/// Longer than any datagram of a sender.
const LONGEST: usize = 2_048;
/// Room for one timestamp, aligned as control messages have to be.
const CONTROL_WORDS: usize = 8;
/// Bytes a socket may hold between two looks.
const RECEIVE_BUFFER: usize = 32 << 20;

/// A bound socket that stamps what it receives.
pub struct StampedSocket(Socket);

impl StampedSocket {
    /// Binds a free port of the loopback address.
    pub fn bind() -> io::Result<StampedSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        force_receive_buffer(&socket);
        set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(StampedSocket(socket))
    }

    /// The port.
    pub fn port(&self) -> io::Result<u16> {
        let address = self.0.local_addr()?.as_socket_ipv4();
        address
            .map(|address| address.port())
            .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Sends one datagram; what cannot be sent is lost.
    pub fn answer(&self, datagram: &[u8], to: SocketAddrV4) {
        let _ = self.0.send_to(datagram, &to.into());
    }
}

/// One datagram and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its sender.
    pub from: SocketAddrV4,
    /// When the kernel took it in, nanoseconds of the real-time clock.
    pub at_ns: u64,
}

/// Room for a batch, used again and again.
pub struct Batch {
    bytes: Vec<[u8; LONGEST]>,
    control: Vec<[u64; CONTROL_WORDS]>,
    names: Vec<libc::sockaddr_in>,
    headers: Vec<libc::mmsghdr>,
}

impl Default for Batch {
    fn default() -> Batch {
        // SAFETY: both are plain C structs of integers and pointers, for which all zero is a value.
        let (name, header) = unsafe { (mem::zeroed(), mem::zeroed()) };
        Batch {
            bytes: vec![[0; LONGEST]; BATCH],
            control: vec![[0; CONTROL_WORDS]; BATCH],
            names: vec![name; BATCH],
            headers: vec![header; BATCH],
        }
    }
}

impl Batch {
    /// Datagrams taken at most at once.
    pub const SIZE: usize = BATCH;

    /// Takes what waits on a socket, at most a batch; returns how many.
    pub fn receive(&mut self, socket: &StampedSocket) -> usize {
        let mut vectors: [libc::iovec; BATCH] = std::array::from_fn(|at| libc::iovec {
            iov_base: self.bytes[at].as_mut_ptr().cast(),
            iov_len: LONGEST,
        });
        for (at, header) in self.headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_control = self.control[at].as_mut_ptr().cast();
            header.msg_controllen = size_of::<[u64; CONTROL_WORDS]>();
            header.msg_flags = 0;
        }
        // SAFETY: every pointer in the headers leads to memory of `self` or to `vectors`, as long as the
        // header says, and all of it lives and is not touched otherwise until the call returns.
        let taken = unsafe {
            libc::recvmmsg(
                socket.0.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        usize::try_from(taken).unwrap_or(0)
    }

    /// One of the datagrams received last.
    pub fn datagram(&self, at: usize) -> Datagram<'_> {
        let header = &self.headers[at];
        let len = (header.msg_len as usize).min(LONGEST);
        let name = &self.names[at];
        let address = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
        Datagram {
            bytes: &self.bytes[at][..len],
            from: SocketAddrV4::new(address, u16::from_be(name.sin_port)),
            at_ns: self.stamp(at),
        }
    }

    /// The timestamp among the control messages; 0 if there is none.
    fn stamp(&self, at: usize) -> u64 {
        let words = &self.control[at];
        let header = size_of::<libc::cmsghdr>();
        let len = self.headers[at].msg_hdr.msg_controllen;
        if len < header + size_of::<libc::timespec>() {
            return 0;
        }
        // The one message asked for: length, level and kind, then seconds and nanoseconds.
        let kind = (words[1] as u32, (words[1] >> 32) as u32);
        if kind != (libc::SOL_SOCKET as u32, libc::SCM_TIMESTAMPNS as u32) {
            return 0;
        }
        words[2] * 1_000_000_000 + words[3]
    }
}

/// As large as allowed: root may pass the system's limit.
fn force_receive_buffer(socket: &Socket) {
    let bytes = RECEIVE_BUFFER as libc::c_int;
    if set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
}

fn set_option(
    socket: &Socket,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let fd: RawFd = socket.as_raw_fd();
    let len = size_of::<libc::c_int>() as u32;
    // SAFETY: the pointer leads to an integer of the length given, which lives until the call returns.
    let result = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn datagrams_come_with_their_sender_and_the_kernels_time() {
        let socket = StampedSocket::bind().expect("loopback has a free port");
        let port = socket.port().expect("it is bound");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        until_stamped(&socket, &sender);
        let before = now_ns();
        for n in 0..5_u8 {
            sender
                .send_to(&vec![n; 10 + usize::from(n)], ("127.0.0.1", port))
                .expect("loopback takes it");
        }
        std::thread::sleep(Duration::from_millis(200));
        let after = now_ns();
        let mut batch = Batch::default();
        assert_eq!(batch.receive(&socket), 5);
        let own = sender.local_addr().expect("it is bound").port();
        for n in 0..5_u8 {
            let datagram = batch.datagram(usize::from(n));
            assert_eq!(datagram.bytes, vec![n; 10 + usize::from(n)]);
            assert_eq!(datagram.from.port(), own);
            assert!(
                (before..after - 100_000_000).contains(&datagram.at_ns),
                "stamped at arrival, not when it was read"
            );
        }
        assert_eq!(batch.receive(&socket), 0);
    }

    /// The kernel begins to stamp a little after the first socket of the machine asks for it; until then it
    /// gives the time of reading.
    fn until_stamped(socket: &StampedSocket, sender: &UdpSocket) {
        let mut batch = Batch::default();
        for _ in 0..100 {
            let to = ("127.0.0.1", socket.port().expect("it is bound"));
            sender.send_to(&[0], to).expect("loopback takes it");
            std::thread::sleep(Duration::from_millis(20));
            let read = now_ns();
            assert_eq!(batch.receive(socket), 1);
            if batch.datagram(0).at_ns < read - 10_000_000 {
                return;
            }
        }
        panic!("the kernel does not stamp datagrams");
    }

    fn now_ns() -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.expect("the clock is past 1970").as_nanos() as u64
    }
}
