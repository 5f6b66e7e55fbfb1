/** The addresses of a call's socket as they cross from Rust. */

import type { BindingTransportAddresses } from "./generated/binding.js";

/** One end of a UDP connection. */
export interface UdpAddress {
  /** IPv4 literal. */
  address: string;
  port: number;
}

/** Both ends of an open transport, as this machine sees them. */
export interface TransportAddresses {
  /** This machine's end; behind a NAT the voice server sees another. */
  local: UdpAddress;
  /** The voice server. */
  remote: UdpAddress;
}

/** The addresses, or undefined where no transport is open. */
export function toTransportAddresses(
  found: BindingTransportAddresses | null,
): TransportAddresses | undefined {
  if (!found) return undefined;
  return {
    local: { address: found.localAddress, port: found.localPort },
    remote: { address: found.remoteAddress, port: found.remotePort },
  };
}
