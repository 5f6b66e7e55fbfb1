//! One connected, non-blocking UDP socket per call.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::sync::Arc;

use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

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

/// Sends with one system call per packet; batching was measured and gains nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct UdpSink;

impl PacketSink for UdpSink {
    type Handle = UdpHandle;

    fn send(&mut self, handle: &UdpHandle, datagram: &[u8]) -> io::Result<()> {
        handle.send(datagram).map(|_| ())
    }
}
