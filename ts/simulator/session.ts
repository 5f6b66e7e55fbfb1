/** One voice session: what the server knows of a client beyond its socket, so that it can be resumed. */

import type { Mode } from "./crypto.ts";
import type { Listener } from "./listener.ts";
import type { NonceHistory } from "./nonces.ts";
import { Outbox } from "./outbox.ts";
import type { Problem, ProblemCode } from "./problems.ts";
import type { HeardPacket } from "./recording.ts";
import { StreamCheck } from "./stream-check.ts";

const MAX_DISCOVERED = 8;

/** The socket that a session is attached to, as far as others use it. */
export interface SessionLink {
  /** Sends a text or binary frame as it is. */
  transmit(frame: string | Buffer): void;
  /** Closes with a code; 1006 cuts the TCP stream. */
  close(code: number, reason?: string): void;
  /** Falls silent in both directions while the socket stays open. */
  freeze?(): void;
}

/** Whose session it is and what it was opened with. */
export interface SessionSeed {
  guildId: string;
  channelId: string;
  userId: string;
  sessionId: string;
  token: string;
  ssrc: number;
  version: number;
  /** Highest end-to-end encryption version that the client announced. */
  daveVersion: number;
  firstSequence: number;
}

/** Counts of what came from one client. */
export interface SessionCounts {
  /** RTP packets that authenticated and were let through. */
  audio: number;
  /** RTP packets that were dropped: before op 5, suppressed, repeated, not authentic. */
  audioDropped: number;
  /** RTP packets of other payload types, and RTCP. */
  foreign: number;
  keepalives: number;
  discoveries: number;
  heartbeats: number;
  resumes: number;
}

/** A key in force, and what it has seen. */
export interface MediaKey {
  mode: Mode;
  key: Buffer;
  nonces: NonceHistory;
  /** Monotonic milliseconds until which packets may use it; a replaced key dies soon. */
  validUntilMs: number;
}

/** A session, from Identify to its end. */
export class VoiceSession {
  readonly seed: Readonly<SessionSeed>;
  readonly outbox: Outbox;
  readonly check: StreamCheck;
  readonly counts: SessionCounts = {
    audio: 0,
    audioDropped: 0,
    foreign: 0,
    keepalives: 0,
    discoveries: 0,
    heartbeats: 0,
    resumes: 0,
  };
  /** The open socket; undefined while the session waits to be resumed. */
  link: SessionLink | undefined;
  /** Ends the session when it is not resumed in time. */
  expiry: NodeJS.Timeout | undefined;
  /** The key in force, and the one before it, under which packets may still be under way. */
  media: MediaKey | undefined;
  formerMedia: MediaKey | undefined;
  /** Where the client's datagrams come from and go to. */
  remote: { address: string; port: number } | undefined;
  /** What a simulated member hears; undefined for a client on the network. */
  ear: Listener | undefined;
  /** How that member makes an Opus packet of what another one sent; undefined when it cannot. */
  opens: ((packet: HeardPacket) => Buffer | undefined) | undefined;
  /** Flags of the last op 5; undefined before the first. */
  speaking: number | undefined;
  /** When the flags became zero. */
  silentSinceMs = Number.NEGATIVE_INFINITY;
  /** Counter of the packets sealed for this client. */
  sealed = 0;
  /** When the last datagram came, in monotonic milliseconds. */
  lastDatagramMs: number | undefined;
  readonly #report: (problem: Problem) => void;
  readonly #isUnnumbered: () => boolean;
  /** Addresses that discovery was answered for. */
  readonly #discovered = new Set<string>();

  constructor(seed: SessionSeed, report: (problem: Problem) => void, isUnnumbered: () => boolean) {
    this.seed = seed;
    this.#report = report;
    this.#isUnnumbered = isUnnumbered;
    this.outbox = new Outbox(seed.firstSequence);
    this.check = new StreamCheck((code, message) => this.object(code, message));
  }

  /** Notes something a faithful server would object to. */
  object(code: ProblemCode, message: string): void {
    const { userId, guildId, channelId } = this.seed;
    this.#report({ code, message, userId, guildId, channelId });
  }

  /** Notes an address that discovery was answered for; the latest few are kept. */
  noteDiscovered(source: { address: string; port: number }): void {
    this.#discovered.add(`${source.address}:${source.port}`);
    for (const oldest of this.#discovered) {
      if (this.#discovered.size <= MAX_DISCOVERED) break;
      this.#discovered.delete(oldest);
    }
  }

  /** Whether discovery told the client this address. */
  hasDiscovered(source: { address: string; port: number }): boolean {
    return this.#discovered.has(`${source.address}:${source.port}`);
  }

  /** Sends a message without a number. */
  send(op: number, d: unknown): void {
    this.link?.transmit(JSON.stringify({ op, d }));
  }

  /** Sends a numbered message, or keeps it for a resume while no socket is open. */
  sendNumbered(op: number, d: unknown): void {
    if (this.seed.version < 8 || this.#isUnnumbered()) return this.send(op, d);
    const text = this.outbox.push(op, d, performance.now());
    this.link?.transmit(text);
  }

  /** Sends a binary message, which is always numbered, or keeps it for a resume. */
  sendBinary(op: number, payload: Uint8Array): void {
    const frame = this.outbox.pushBinary(op, payload, performance.now());
    this.link?.transmit(frame);
  }
}

/** What is told about a session. */
export interface SessionInfo {
  guildId: string;
  channelId: string;
  userId: string;
  ssrc: number;
  /** Voice gateway version. */
  version: number;
  /** Encryption mode; undefined before the session description. */
  mode: string | undefined;
  /** Whether the simulator plays this user itself. */
  isSimulated: boolean;
  /** Whether a socket is open; a session without one can be resumed for a while. */
  isConnected: boolean;
  /** Flags of the last op 5. */
  speaking: number;
  counts: Readonly<SessionCounts>;
}

/** A snapshot for users of the simulator; it holds no secret. */
export function sessionInfo(session: VoiceSession): SessionInfo {
  const { guildId, channelId, userId, ssrc, version } = session.seed;
  return {
    guildId,
    channelId,
    userId,
    ssrc,
    version,
    mode: session.media?.mode,
    isSimulated: session.ear !== undefined,
    isConnected: session.link !== undefined,
    speaking: session.speaking ?? 0,
    counts: { ...session.counts },
  };
}
