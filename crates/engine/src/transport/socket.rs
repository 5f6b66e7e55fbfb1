//! One connected, non-blocking UDP socket per call.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::sync::Arc;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::PacketSink;
use crate::prefetch::prefetch;
use crate::system::forbid_fragments;

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
    forbid_fragments(&socket)?;
    socket.connect(&SockAddr::from(remote))?;
    Ok(Arc::new(socket.into()))
}

/// Sends with one system call per packet; batching was measured and gains nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct UdpSink;

impl PacketSink for UdpSink {
    type Handle = UdpHandle;

    fn send(&mut self, handle: &UdpHandle, datagram: &[u8]) -> io::Result<()> {
        handle.send(datagram).map(|_| ())
    }

    fn warm(&self, handle: &UdpHandle) {
        prefetch(&**handle);
    }
}

#[cfg(all(test, target_os = "linux", not(feature = "portable")))]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    use super::*;
    use crate::system::set_media_wanted;

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
