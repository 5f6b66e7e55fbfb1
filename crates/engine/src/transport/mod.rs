//! Sockets: how packets leave, and the one thread that takes in what comes back.

mod health;
mod peer;
mod receiver;
mod socket;

use std::io;

pub(crate) use health::LinkHealth;
pub(crate) use receiver::{Receiver, ReceiverPort, Report, Transport};
pub(crate) use socket::open_socket;
pub use socket::{UdpHandle, UdpSink};

pub use crate::system::Doorbell;

/// Where a pacer's packets go. `send` must not block, allocate or lock.
pub trait PacketSink {
    /// What a flow's packets are sent through.
    type Handle;

    /// Hands one datagram over. A packet that is refused is lost.
    fn send(&mut self, handle: &Self::Handle, datagram: &[u8]) -> io::Result<()>;

    /// Asks for the memory that a send through `handle` needs: one follows soon.
    fn warm(&self, handle: &Self::Handle) {
        let _ = handle;
    }
}
