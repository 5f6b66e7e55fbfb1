//! One connected, non-blocking UDP socket per call.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::sync::Arc;

use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use socket2::{Domain, Protocol, SockAddr, SockFilter, SockRef, Socket, Type};

use super::PacketSink;

/// A call's socket, shared by its pacer and the receive thread; closed when both are done with it.
pub type UdpHandle = Arc<UdpSocket>;

/// Opens a socket towards `remote`. Connected, so datagrams from elsewhere never arrive.
pub(crate) fn open_socket(remote: SocketAddrV4) -> io::Result<UdpHandle> {
    if remote.port() == 0 || remote.ip().is_unspecified() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the voice server's address has no host or no port",
        ));
    }
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Voice packets are small; fragments would only hide that one was not.
    set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO)?;
    socket.connect(&SockAddr::from(remote))?;
    Ok(Arc::new(socket.into()))
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
pub(crate) fn set_media_wanted(socket: &UdpHandle, wanted: bool) {
    let socket = SockRef::from(&**socket);
    // Without the filter, or the room, everything works, only less well.
    let _ = if wanted {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.detach_filter()
    } else {
        socket.attach_filter(&NO_MEDIA)
    };
}

/// Sends with one system call per packet; batching was measured and gains nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct UdpSink;

impl PacketSink for UdpSink {
    type Handle = UdpHandle;

    fn send(&mut self, handle: &UdpHandle, datagram: &[u8]) -> io::Result<()> {
        handle.send(datagram).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    use super::*;

    #[test]
    fn unwanted_media_never_arrives_and_the_rest_does() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let Ok(SocketAddr::V4(address)) = server.local_addr() else {
            panic!("loopback is IPv4");
        };
        let socket = open_socket(address).expect("the system gives a socket");
        let client = socket.local_addr().expect("a bound socket");
        let media = [[0x90; 43].as_slice(), &[0x80; 200], &[0x13; 75]];
        let control = [[0; 74].as_slice(), &[0x13; 8]];
        let send = |datagrams: &[&[u8]]| {
            for datagram in datagrams {
                server.send_to(datagram, client).expect("loopback takes it");
            }
        };
        let arrived = |count: usize| -> Vec<usize> {
            socket.set_nonblocking(false).expect("a mode");
            let wait = Some(Duration::from_secs(20));
            socket.set_read_timeout(wait).expect("a time");
            let mut buffer = [0; 300];
            (0..count)
                .map(|_| socket.recv(&mut buffer).expect("it arrives"))
                .collect()
        };
        set_media_wanted(&socket, false);
        send(&media);
        send(&control);
        assert_eq!(arrived(2), [74, 8]);
        set_media_wanted(&socket, true);
        send(&media);
        assert_eq!(arrived(3), [43, 200, 75]);
    }
}
