/** A token bucket: how many messages a client may send. */

/** Allows bursts of two seconds' worth. */
export class RateLimit {
  /** Messages a second. */
  static readonly PER_SECOND = 500;
  #tokens = RateLimit.PER_SECOND * 2;
  #atMs = 0;

  /** Whether one more message is allowed at `nowMs`. */
  take(nowMs: number): boolean {
    const refill = ((nowMs - this.#atMs) / 1000) * RateLimit.PER_SECOND;
    this.#tokens = Math.min(RateLimit.PER_SECOND * 2, this.#tokens + refill);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
