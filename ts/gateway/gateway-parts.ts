/** What surrounds a voice gateway: its events, what it needs done, and the interface that stand-ins implement. */

import type { SessionKeys, TransportTarget } from "../native/types.ts";
import type { Logger } from "../support/logger.ts";
import type { DaveCommand } from "./dave.ts";
import type { ServerMessage } from "./messages.ts";
import type { GatewayStatus, MachineConfig, Reason } from "./state.ts";
import type { TlsOptions } from "./tls.ts";
import type { VoiceGateway } from "./voice-gateway.ts";

/** Events of a {@link VoiceGateway}. */
export type VoiceGatewayEvents = {
  /** The gateway entered a status, for a reason where there is one to tell. */
  stateChange: [status: GatewayStatus, reason: Reason | undefined];
  /** Everything that the server said, in order and before what follows from it; unknown opcodes too. */
  message: [message: ServerMessage];
  /** Messages about others, and those this version does not know, as they came. */
  peer: [message: ServerMessage];
  /** A heartbeat was answered after so many milliseconds. */
  latency: [ms: number];
  /** The server, or the network, closed a socket; what is done about it follows as `stateChange`. */
  closed: [code: number];
  /** A frame could not be understood and was ignored; the code of `GatewayMessageError`. */
  badFrame: [code: string];
};

/** What a gateway needs done that is not its own: the media transport and the main gateway. */
export interface GatewayHost {
  /**
   * Opens a transport and finds its external address; answer with {@link VoiceGateway.discovered} or
   * {@link VoiceGateway.transportFailed}. What it throws is taken for a failure.
   */
  openTransport(target: TransportTarget): void;
  /** Installs mode and key; sound may be sent from here on. What it throws is taken for a failure. */
  startSession(session: SessionKeys): void;
  /** Closes the transport and forgets the keys. */
  closeTransport(): void;
  /** The session is lost: new credentials are needed. */
  rejoin(): void;
  /**
   * Does what the end-to-end encryption group has to do; answers go to {@link VoiceGateway.daveReply}.
   * Without this function encryption is not offered. What it throws is taken for a failure.
   */
  dave?(command: DaveCommand): void;
}

/** What a {@link VoiceGateway} is made of. */
export interface GatewayParts {
  host: GatewayHost;
  /** Default: version 8, every mode, no plain sockets. */
  config?: Partial<MachineConfig>;
  tls?: TlsOptions;
  /** Default: silent. */
  logger?: Logger;
  /** Added to every line of the log. */
  context?: object;
}

/** Round trip of heartbeats, in milliseconds. */
export interface GatewayLatency {
  lastMs: number;
  averageMs: number;
}

/** What a voice connection needs of its gateway; {@link VoiceGateway} fits, and so do stand-ins. */
export type GatewayLike = Pick<
  VoiceGateway,
  | "awaitCredentials"
  | "badFrames"
  | "close"
  | "daveFailed"
  | "daveReply"
  | "destroy"
  | "discovered"
  | "latency"
  | "provide"
  | "reason"
  | "send"
  | "serverLost"
  | "setSpeaking"
  | "speaking"
  | "ssrc"
  | "status"
  | "transportFailed"
> & {
  /** Adds a listener. */
  on<Name extends keyof VoiceGatewayEvents & string>(
    name: Name,
    listener: (...args: VoiceGatewayEvents[Name]) => void,
  ): unknown;
};

/** Makes the gateway of a connection. */
export type CreateGateway = (parts: GatewayParts) => GatewayLike;
