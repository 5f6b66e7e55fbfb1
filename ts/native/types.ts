/** The shapes that cross between TypeScript and the Rust engine, and the interfaces a fake can stand in for. */

import type { DaveFlow, DaveFlowEvent } from "./dave.ts";
import type { EncoderOptions, EncodingStats } from "./push.ts";
import type { FlowReceiverLike } from "./receive.ts";
import type { StreamLike, SubscribingFlow } from "./stream.ts";
import type { TransportAddresses } from "./transport.ts";

/** A transport encryption mode, spelled as on the wire. */
export type TransportMode =
  | "aead_aes256_gcm_rtpsize"
  | "aead_xchacha20_poly1305_rtpsize"
  | "xsalsa20_poly1305_lite"
  | "xsalsa20_poly1305_suffix"
  | "xsalsa20_poly1305";

/** What fills the sound of a track. */
export type SourceSpec =
  | { kind: "file"; path: string }
  /** `headers` go with its requests; `Authorization` and cookies to the URL's own host alone. */
  | { kind: "http"; url: string; headers?: Readonly<Record<string, string>> };

/** Options of an {@link EngineLike}; all are read once at the start. */
export interface EngineOptions {
  /** Sending threads in use from the start, 1 to 16. Default 1; one carries thousands of calls. */
  pacers?: number;
  /**
   * Sending threads at most, up to 16. Another comes into use when the busiest works more than 70 % of its
   * time. Default: as many as the machine has cores, at most 4.
   */
  maxPacers?: number;
  /**
   * Lets sending threads go before all ordinary ones (`SCHED_FIFO`), where the system permits it and while
   * they work less than 85 % of their time. Default false.
   */
  realtime?: boolean;
  /** Threads that demux, decode and encode. Default: 2. */
  decodeWorkers?: number;
  /** Lets HTTP sources reach loopback, link-local and private addresses. Default false. */
  allowPrivateHosts?: boolean;
  /** Milliseconds without a frame after which a track counts as stuck. Default 10 000. */
  stallMs?: number;
}

/** Where a call's packets go. `generation` comes back in events, so that late ones can be told apart. */
export interface TransportTarget {
  /** IPv4 literal from Ready. */
  address: string;
  port: number;
  ssrc: number;
  generation: number;
}

/** The outcome of a session description. */
export interface SessionKeys {
  mode: TransportMode;
  /** 32 bytes. */
  key: Uint8Array;
}

/** One track to play; it replaces what plays. */
export interface PlayRequest {
  /** Chosen by the caller; comes back in the track's events. */
  track: number;
  source: SourceSpec;
  /** Where to begin, in milliseconds of source time. Default 0. */
  startMs?: number;
  /** Where to end, in milliseconds of source time. Default: the end of the source. */
  endMs?: number;
  encoder?: EncoderOptions;
}

/** What was found in a source. */
export interface TrackInfo {
  container: string;
  codec: string;
  /** True when the Opus packets of the source are sent as they are. */
  passthrough: boolean;
  durationMs?: number;
  sampleRate: number;
  channels: number;
  /** Whether the source can be moved to any position. Absent where that is not known. */
  seekable?: boolean;
}

/** What a source says it plays now, as radio streams do. */
export interface StreamMetadata {
  /** Such as `Artist - Title`; at most 512 characters. */
  title?: string;
  /** The station's name. */
  station?: string;
  /** An address about the title or else the station. */
  url?: string;
}

/** What the engine reports about one flow. */
export type FlowEvent =
  | { type: "discovered"; generation: number; address: string; port: number }
  | { type: "discovery_failed"; generation: number; reason: string }
  | { type: "transport_failed"; generation: number; message: string }
  | { type: "track_started"; track: number; info: TrackInfo }
  | { type: "track_ended"; track: number; reason: "finished" | "stopped" | "replaced" }
  | { type: "track_failed"; track: number; code: string; message: string }
  | { type: "track_stalled"; track: number; forMs: number }
  | { type: "track_metadata"; track: number; metadata: StreamMetadata }
  /** A pushed track ran dry: whoever pushes is late. Once until frames come again. */
  | { type: "track_starved"; track: number }
  | { type: "drained" }
  | { type: "frames_wanted"; count: number }
  | DaveFlowEvent;

/** Counters and state of one flow, read without stopping it. */
export interface FlowStats {
  packetsSent: number;
  bytesSent: number;
  /** Packets handed to the socket more than one period (20 ms) after they were due. */
  packetsLate: number;
  framesSkipped: number;
  sendErrors: number;
  silenceSent: number;
  queueFrames: number;
  /** Position in source time, milliseconds. */
  positionMs: number;
  paused: boolean;
  playingTrack?: number;
  udpRttUs?: number;
  datagramsReceived: number;
}

/** How late packets left, in microseconds after they were due. */
export interface LatenessSummary {
  count: number;
  p50Us: number;
  p99Us: number;
  p999Us: number;
  maxUs: number;
  /** All of them added up. */
  sumUs: number;
  /** How many left at most so late, for a few bounds in rising order; exact to 1/16 of the bound. */
  within: { boundUs: number; count: number }[];
}

/** One sending thread. */
export interface PacerStats {
  flows: number;
  /** Share of time the thread worked, 0 to 1000. */
  loadPermille: number;
  sent: number;
  skipped: number;
  wakeups: number;
  lateness: LatenessSummary;
  /** Whether it goes before ordinary threads (`SCHED_FIFO`). */
  realtime: boolean;
}

/** The whole engine. */
export interface EngineStats {
  flows: number;
  pacers: PacerStats[];
  encoding: EncodingStats;
  eventsDropped: number;
}

/** The native side of one call. */
export interface FlowLike extends StreamLike, SubscribingFlow, DaveFlow {
  /** What others send; absent where only sending is possible. */
  readonly receiver?: FlowReceiverLike;
  openTransport(target: TransportTarget): void;
  startSession(session: SessionKeys): void;
  closeTransport(): void;
  /** Both ends of the open transport; undefined where there is none. */
  addresses(): TransportAddresses | undefined;
}

/** The native engine: threads that pace, decode and read. */
export interface EngineLike {
  createFlow(onEvent: (event: FlowEvent) => void): FlowLike;
  createStream(onEvent: (event: FlowEvent) => void): StreamLike;
  stats(): EngineStats;
  close(): Promise<void>;
}
