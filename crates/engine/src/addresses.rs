//! Which addresses a call's socket has on this machine and on the other side.

use std::net::{SocketAddr, SocketAddrV4};

use crate::transport::UdpHandle;
use crate::{Engine, FlowId};

/// Both ends of an open transport, as this machine sees them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TransportAddresses {
    /// This machine's end; behind a NAT the voice server sees another.
    pub local: SocketAddrV4,
    /// The voice server.
    pub remote: SocketAddrV4,
}

impl TransportAddresses {
    /// Asks the system once, when the socket is opened.
    pub(crate) fn of(socket: &UdpHandle, remote: SocketAddrV4) -> Option<TransportAddresses> {
        match socket.local_addr() {
            Ok(SocketAddr::V4(local)) => Some(TransportAddresses { local, remote }),
            _ => None,
        }
    }
}

impl Engine {
    /// The addresses of a flow's open transport; `None` where there is none.
    pub fn transport_addresses(&self, flow: FlowId) -> Option<TransportAddresses> {
        self.control.with(|table, _| {
            let (entry, _) = table.flow(flow).ok()?;
            entry.transport?.addresses
        })
    }
}
