//! The addresses of a call's socket.

use cadenza_engine::TransportAddresses;
use napi_derive::napi;

use crate::binding_engine::BindingEngine;

/// Both ends of an open transport, as this machine sees them.
#[napi(object)]
pub struct BindingTransportAddresses {
    /// IPv4 literal of this machine's end.
    pub local_address: String,
    /// Its UDP port.
    pub local_port: u16,
    /// IPv4 literal of the voice server.
    pub remote_address: String,
    /// Its UDP port.
    pub remote_port: u16,
}

impl From<TransportAddresses> for BindingTransportAddresses {
    fn from(addresses: TransportAddresses) -> Self {
        Self {
            local_address: addresses.local.ip().to_string(),
            local_port: addresses.local.port(),
            remote_address: addresses.remote.ip().to_string(),
            remote_port: addresses.remote.port(),
        }
    }
}

#[napi]
impl BindingEngine {
    /// The addresses of a flow's open transport, or null where there is none.
    #[napi]
    pub fn transport_addresses(&self, flow: u32) -> Option<BindingTransportAddresses> {
        self.engine.transport_addresses(flow).map(Into::into)
    }
}
