/** Ties the UDP connection of a call to its gateway: every opening ends in a message to the gateway. */

import type { GatewayLike } from "../gateway/index.ts";
import type { FlowEvent, FlowLike, SessionKeys, TransportTarget } from "../native/index.ts";
import { type CreateUdp, UdpConnection, type UdpLike } from "./udp-connection.ts";

/** The transport that a gateway opens and closes. */
export class CallTransport {
  readonly udp: UdpLike;
  readonly #gateway: () => GatewayLike;
  /** Counts as the gateway does. */
  #generation = 0;

  /** @param gateway Asked when something is to be told: the gateway is made together with its transport. */
  constructor(flow: FlowLike, create: CreateUdp | undefined, gateway: () => GatewayLike) {
    this.#gateway = gateway;
    const failed = ({ message }: Error): void =>
      gateway().transportFailed({ generation: this.#generation, message });
    this.udp = create ? create({ flow, failed }) : new UdpConnection({ flow, failed });
  }

  /** Opens the transport; of one that has made way meanwhile the gateway takes no notice. */
  open(target: TransportTarget): void {
    const { generation } = target;
    this.#generation = generation;
    this.udp.open(target).then(
      (found) => this.#gateway().discovered({ ...found, generation }),
      ({ message }: Error) => this.#gateway().transportFailed({ generation, message }),
    );
  }

  /** Installs mode and key. */
  startSession(session: SessionKeys): void {
    this.udp.setSession(session);
  }

  /** Closes it. */
  close(): void {
    this.udp.close();
  }

  /** Takes an event of the native flow. */
  handle(event: FlowEvent): void {
    if (this.udp instanceof UdpConnection) this.udp.handle(event);
  }
}
