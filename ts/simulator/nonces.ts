/** Remembers which nonces a key has seen, in bounded memory. */

const RECENT = 4096;
const MAX_RUNS = 64;

/** Finds a nonce that is used a second time under one key. */
export class NonceHistory {
  readonly #recent = new Set<string>();
  /** Four-byte counters as runs, in both byte orders; a client's own order collapses into few runs. */
  #runs: (CounterRuns | undefined)[] = [new CounterRuns(), new CounterRuns()];

  /** Records a nonce; false when it was used before. Exact for counters; random ones for the last 4,096. */
  record(nonce: Buffer): boolean {
    const isNew = nonce.length === 4 ? this.#recordCounter(nonce) : true;
    const key = nonce.toString("latin1");
    if (!isNew || this.#recent.has(key)) return false;
    this.#recent.add(key);
    for (const oldest of this.#recent) {
      if (this.#recent.size <= RECENT) break;
      this.#recent.delete(oldest);
    }
    return true;
  }

  #recordCounter(nonce: Buffer): boolean {
    const values = [nonce.readUInt32BE(0), nonce.readUInt32LE(0)];
    const isUsed = this.#runs.some((runs, order) => runs?.has(values[order] ?? 0));
    if (isUsed) return false;
    this.#runs = this.#runs.map((runs, order) => {
      runs?.add(values[order] ?? 0);
      return runs && runs.size <= MAX_RUNS ? runs : undefined;
    });
    return true;
  }
}

/** A set of numbers as runs of neighbours, the latest run last. */
class CounterRuns {
  readonly #runs: { from: number; to: number }[] = [];

  get size(): number {
    return this.#runs.length;
  }

  has(value: number): boolean {
    return this.#runs.some((run) => value >= run.from && value <= run.to);
  }

  add(value: number): void {
    const before = this.#runs.find((run) => run.to + 1 === value);
    const after = this.#runs.find((run) => run.from - 1 === value);
    if (before && after) {
      before.to = after.to;
      this.#runs.splice(this.#runs.indexOf(after), 1);
    } else if (before) before.to = value;
    else if (after) after.from = value;
    else this.#runs.push({ from: value, to: value });
  }
}
