/** The values the voice gateway machine works on: its state, what goes in and what comes out. */

import type { TransportMode, TransportTarget } from "../native/types.ts";
import { DAVE_PROTOCOL_VERSION } from "./constants.ts";
import type { DaveCommand, DaveReply } from "./dave.ts";
import type { ClientMessage, ServerMessage } from "./messages.ts";

/** Where a connection stands; the eight states every gateway client knows. */
export type GatewayStatus =
  | "unconnected"
  | "connecting"
  | "waiting_for_hello"
  | "identifying"
  | "waiting_for_ready"
  | "resuming"
  | "ready"
  | "disconnected";

/** What the two main-gateway events bring together. `token` and `sessionId` are secrets. */
export interface VoiceCredentials {
  guildId: string;
  userId: string;
  /** Needed by end-to-end encryption, optional without it. */
  channelId?: string;
  sessionId: string;
  token: string;
  /** `host:port`, or `ws://host:port` where plain sockets are allowed. */
  endpoint: string;
}

/** Options that do not change while the machine runs. */
export interface MachineConfig {
  /** Voice gateway version: 8, or 4 for legacy servers. Default 8. */
  version: 4 | 8;
  /** Accepted encryption modes, best first. */
  modes: readonly TransportMode[];
  /** Accepts `ws://` endpoints; for simulators on loopback only. Default false. */
  insecureEndpoints: boolean;
  /** Highest end-to-end encryption (DAVE) version offered; gateway version 4 knows none. Default 1. */
  maxDaveProtocolVersion: number;
  /** Milliseconds each phase may take before it is given up. */
  timeouts: Timeouts;
}

/** Milliseconds. */
export interface Timeouts {
  /** For the main gateway to bring credentials. Default 10 000. */
  credentials: number;
  /** For the socket to open. Default 10 000. */
  connect: number;
  /** For Hello, Ready, Session Description and Resumed, each. Default 10 000. */
  answer: number;
  /** For IP discovery, retries included. Default 12 000. */
  discovery: number;
  /** For new credentials after a close that leaves the decision to them. Default 10 000. */
  wait: number;
}

/** The defaults of {@link MachineConfig}. */
export const DEFAULT_MACHINE_CONFIG: MachineConfig = {
  version: 8,
  modes: [
    "aead_aes256_gcm_rtpsize",
    "aead_xchacha20_poly1305_rtpsize",
    "xsalsa20_poly1305_lite",
    "xsalsa20_poly1305_suffix",
    "xsalsa20_poly1305",
  ],
  insecureEndpoints: false,
  maxDaveProtocolVersion: DAVE_PROTOCOL_VERSION,
  timeouts: {
    credentials: 10_000,
    connect: 10_000,
    answer: 10_000,
    discovery: 12_000,
    wait: 10_000,
  },
};

/** The timers of a machine. */
export type TimerName =
  /** The present phase takes too long. */
  | "phase"
  /** A heartbeat is due. */
  | "heartbeat"
  /** A delayed try is due. */
  | "retry";

/** Why a connection is where it is: a stable code and a sentence for people. */
export interface Reason {
  code: string;
  message: string;
  /** The WebSocket's close code, where one led here. */
  closeCode?: number;
}

/** What happens to a machine. Socket and transport inputs carry the generation they belong to. */
export type MachineInput =
  | { type: "credentials"; credentials: VoiceCredentials }
  | { type: "awaiting_credentials" }
  | { type: "server_lost" }
  | { type: "socket_open"; generation: number }
  | { type: "message"; generation: number; message: ServerMessage }
  | { type: "socket_closed"; generation: number; code: number }
  | { type: "discovered"; generation: number; address: string; port: number }
  | { type: "transport_failed"; generation: number; message: string }
  | { type: "speaking"; flags: number }
  | { type: "dave_reply"; reply: DaveReply }
  | { type: "dave_failed"; reason: Reason }
  | { type: "timer"; timer: TimerName }
  | { type: "leave"; reason?: Reason };

/** What is to be done, in order. */
export type MachineOutput =
  | { type: "connect"; generation: number; url: string }
  | { type: "close_socket"; code: number }
  | { type: "send"; message: ClientMessage }
  | { type: "open_transport"; target: TransportTarget }
  | { type: "start_session"; mode: TransportMode; key: Uint8Array }
  | { type: "close_transport" }
  | { type: "dave"; command: DaveCommand }
  | { type: "set_timer"; timer: TimerName; afterMs: number }
  | { type: "clear_timer"; timer: TimerName }
  | { type: "status"; status: GatewayStatus; reason?: Reason }
  | { type: "rejoin" }
  | { type: "latency"; ms: number }
  | { type: "peer"; message: ServerMessage };

/** Everything a machine remembers. */
export interface MachineState {
  readonly config: MachineConfig;
  readonly status: GatewayStatus;
  /** Counts sockets; what an older one says is ignored. */
  readonly socket: number;
  /** Whether a socket is open or opening. */
  readonly socketLive: boolean;
  /** Counts transports. */
  readonly transport: number;
  readonly credentials: VoiceCredentials | undefined;
  /** Credentials whose session is over; they are not used again while new ones are awaited. */
  readonly spent: VoiceCredentials | undefined;
  /** The reason to end with when awaited credentials do not come. */
  readonly awaitedBecause: Reason | undefined;
  /** Whether the present credentials were shown to a server. */
  readonly identified: boolean;
  /** Whether the session was fully set up once, so that it can be resumed. */
  readonly established: boolean;
  /** The last sequence number seen; −1 before the first. */
  readonly seqAck: number;
  readonly heartbeat: Heartbeat | undefined;
  readonly ssrc: number;
  readonly mode: TransportMode | undefined;
  /** Modes that a server offered and then refused; the next of the list is taken. */
  readonly refusedModes: readonly TransportMode[];
  /** Flags of the last speaking message, sent again in a new session. */
  readonly speaking: number;
  /** Whether the group of this session was told anything. */
  readonly daveOpen: boolean;
  /** Answers of the group that wait for the socket to be resumed. */
  readonly heldReplies: readonly DaveReply[];
  /** Closes by code, since the last minute without a failure. */
  readonly tries: ReadonlyMap<number, number>;
  /** Times of recent failures, for the loop breaker. */
  readonly failures: readonly number[];
}

/** The state of the heart. */
export interface Heartbeat {
  intervalMs: number;
  /** Nonces that wait for their acknowledgement: the times at which they were sent, the last few. */
  outstanding: readonly number[];
  /** Beats of the timer since the last acknowledgement; those that the server asked for do not count. */
  unanswered: number;
}

/** A machine that knows nothing yet. */
export function initialState(options: Partial<MachineConfig> = {}): MachineState {
  const config = { ...DEFAULT_MACHINE_CONFIG, ...options };
  if (config.version === 4) config.maxDaveProtocolVersion = 0;
  return {
    config,
    status: "unconnected",
    socket: 0,
    socketLive: false,
    transport: 0,
    credentials: undefined,
    spent: undefined,
    awaitedBecause: undefined,
    identified: false,
    established: false,
    seqAck: -1,
    heartbeat: undefined,
    ssrc: 0,
    mode: undefined,
    refusedModes: [],
    speaking: 0,
    daveOpen: false,
    heldReplies: [],
    tries: new Map(),
    failures: [],
  };
}
