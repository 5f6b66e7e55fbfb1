/** A small seeded generator: two simulators with the same seed draw the same ids, keys and padding. */

/** Mulberry32: not for secrets, which a simulator does not have. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The next 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** True in `share` (0–1) of the calls. */
  chance(share: number): boolean {
    return this.next() / 2 ** 32 < share;
  }

  /** So many bytes. */
  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at++) bytes[at] = this.below(256);
    return bytes;
  }

  /** So many bytes as hex digits. */
  hex(length: number): string {
    return this.bytes(length).toString("hex");
  }
}
