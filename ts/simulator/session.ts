/** One voice session: what the server knows of a client beyond its socket, so that it can be resumed. */

import { randomBytes } from "node:crypto";
import type { Mode } from "./crypto.ts";
import type { Seat } from "./rooms.ts";

/** Numbered messages that are kept for a resume. */
const BUFFER = 100;

/** A session, from Identify to its end. */
export class Session {
  readonly seat: Seat;
  readonly ssrc: number;
  readonly version: number;
  key = randomBytes(32);
  mode: Mode | undefined;
  /** Where the client's datagrams come from, once one came. */
  remote: { address: string; port: number } | undefined;
  /** Speaking flags of the last op 5; undefined before the first. */
  speaking: number | undefined;
  /** When the socket was lost; undefined while one is open. */
  lostAtMs: number | undefined;
  /** Nonces and sequence of the media received, for checking. */
  readonly media = {
    nonces: new Set<string>(),
    sequence: -1,
    timestamp: 0,
    arrivedMs: 0,
    silences: 0,
    keepalives: 0,
    bad: 0,
  };
  /** Counter of packets sealed for this client. */
  sealed = 0;
  #seq = -1;
  readonly #buffer: { seq: number; text: string }[] = [];

  constructor(seat: Seat, ssrc: number, version: number) {
    this.seat = seat;
    this.ssrc = ssrc;
    this.version = version;
  }

  /** The last number given to a message; −1 before the first. */
  get lastSeq(): number {
    return this.#seq;
  }

  /** The text of a numbered message; kept for a resume. */
  numbered(op: number, d: unknown): string {
    if (this.version < 8) return JSON.stringify({ op, d });
    this.#seq = (this.#seq + 1) & 0xffff;
    const text = JSON.stringify({ op, d, seq: this.#seq });
    this.#buffer.push({ seq: this.#seq, text });
    if (this.#buffer.length > BUFFER) this.#buffer.shift();
    return text;
  }

  /** What followed `seq`; undefined when some of it is no longer kept. */
  since(seq: number): string[] | undefined {
    if (seq === this.#seq) return [];
    const at = this.#buffer.findIndex((message) => message.seq === ((seq + 1) & 0xffff));
    return at < 0 ? undefined : this.#buffer.slice(at).map((message) => message.text);
  }
}
