/** A token bucket: how fast a client's messages are read. */

/** Messages a second that are read in the long run. */
export const MESSAGES_PER_SECOND = 2000;
/** Messages that are read at once after a silence: what a large bot sends when it comes back. */
export const MESSAGE_BURST = 20_000;

/** Counts messages; the bucket may go into debt, since messages read in one piece cannot be put back. */
export class RateLimit {
  #tokens = MESSAGE_BURST;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** Counts a message; returns for how many milliseconds no more should be read, 0 for not at all. */
  take(nowMs: number): number {
    const refill = ((nowMs - this.#atMs) / 1000) * MESSAGES_PER_SECOND;
    this.#tokens = Math.min(MESSAGE_BURST, this.#tokens + refill) - 1;
    this.#atMs = nowMs;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / MESSAGES_PER_SECOND) * 1000);
  }
}
