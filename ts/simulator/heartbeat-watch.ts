/** Watches one connection's heartbeats: their spacing, their sequence acknowledgement, their absence. */

import type { VoiceSession } from "./session.ts";

/** Intervals without a heartbeat after which a connection is given up. */
const PATIENCE_INTERVALS = 2.5;
/** A beat may come so much later than the interval: a tenth, and what a busy machine needs. */
const SPACING_FACTOR = 1.1;
const SPACING_SLACK_MS = 250;
/** A message may have been under way for so long when the client wrote its beat. */
const ACK_SLACK_MS = 500;

/** Watches from Hello to close. */
export class HeartbeatWatch {
  readonly #intervalMs: number;
  readonly #onStarved: () => void;
  #deadline: NodeJS.Timeout | undefined;
  #lastMs = 0;
  #acknowledged = Number.NEGATIVE_INFINITY;

  constructor(intervalMs: number, onStarved: () => void) {
    this.#intervalMs = intervalMs;
    this.#onStarved = onStarved;
  }

  /** Begins to wait for the first beat. */
  start(): void {
    this.#lastMs = performance.now();
    this.#deadline = setTimeout(() => this.#onStarved(), this.#intervalMs * PATIENCE_INTERVALS);
  }

  /** Notes a beat and what is wrong with it. */
  beat(session: VoiceSession, seqAck: number | undefined): void {
    const nowMs = performance.now();
    const spacingMs = nowMs - this.#lastMs;
    if (spacingMs > this.#intervalMs * SPACING_FACTOR + SPACING_SLACK_MS) {
      session.object(
        "heartbeat_late",
        `a heartbeat came after ${Math.round(spacingMs)} ms; the interval is ${this.#intervalMs} ms`,
      );
    }
    if (session.seed.version >= 8) this.#checkAck(session, seqAck ?? -1, nowMs);
    this.#lastMs = nowMs;
    this.#deadline?.refresh();
  }

  /** Stops waiting. */
  stop(): void {
    clearTimeout(this.#deadline);
  }

  /**
   * The number has to be one that was sent, must not go back, and must cover what was sent before the beat
   * before: a client reads its socket between two beats.
   */
  #checkAck(session: VoiceSession, seqAck: number, nowMs: number): void {
    const { outbox } = session;
    const number = outbox.numberOf(seqAck);
    const due = outbox.lastBefore(Math.min(this.#lastMs, nowMs - ACK_SLACK_MS));
    if (number === undefined) {
      session.object("seq_ack_wrong", `seq_ack ${seqAck} was never sent`);
      return;
    }
    if (number < due || number < this.#acknowledged) {
      const needed = Math.max(due, this.#acknowledged) & 0xffff;
      session.object("seq_ack_wrong", `seq_ack is ${seqAck}, though ${needed} was sent before`);
    }
    this.#acknowledged = Math.max(this.#acknowledged, number);
  }
}
