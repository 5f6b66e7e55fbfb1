/** Bounds how often one address may guess the password. */

/** Wrong passwords of one address within {@link ATTEMPT_WINDOW_MS}; then it is not listened to until they are over. */
export const MAX_ATTEMPTS = 20;
/** Milliseconds after the first wrong password until it is forgotten. */
export const ATTEMPT_WINDOW_MS = 60_000;
/** Addresses that are remembered; the oldest are forgotten first. */
const MAX_ADDRESSES = 10_000;

interface Attempts {
  sinceMs: number;
  count: number;
}

/** Wrong passwords by address. */
export class AttemptLimit {
  readonly #byAddress = new Map<string, Attempts>();

  /** Whether an address guessed too often lately. */
  blocks(address: string, nowMs: number): boolean {
    const known = this.#byAddress.get(address);
    if (!known) return false;
    if (nowMs - known.sinceMs < ATTEMPT_WINDOW_MS) return known.count >= MAX_ATTEMPTS;
    this.#byAddress.delete(address);
    return false;
  }

  /** Notes a wrong password. Those from this machine are not counted: all its programs have one address. */
  wrong(address: string, nowMs: number): void {
    if (isLoopback(address)) return;
    const known = this.#byAddress.get(address) ?? { sinceMs: nowMs, count: 0 };
    known.count += 1;
    this.#byAddress.set(address, known);
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size > MAX_ADDRESSES && oldest !== undefined) {
      this.#byAddress.delete(oldest);
    }
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
