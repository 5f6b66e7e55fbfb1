/** How much of what this machine can carry is in use, measured once a second and smoothed. */

import type { EngineStats } from "../native/types.ts";

/** Milliseconds between two measurements. */
export const SAMPLE_INTERVAL_MS = 1000;
/** Measurements that the smoothed values look back on: a start of a program is no load. */
const WINDOW = 5;

/** What is measured. Shares are from 0 to 1. */
export interface Load {
  /** The largest of the three below. */
  total: number;
  /** Of the least busy sending thread, which gets the next player. */
  pacer: number;
  /** Of the decoding threads. */
  decoding: number;
  /** Of the machine's processors, by this process. */
  processor: number;
  /** Cores in use by this process. */
  cores: number;
}

/** What a measurement looks at. */
export interface Sample {
  atMs: number;
  /** Microseconds of processor time that the process used so far. */
  cpuUs: number;
  engine: (Pick<EngineStats, "pacers"> & { encoding?: { busyPermille: number } }) | undefined;
}

const NONE: Load = { total: 0, pacer: 0, decoding: 0, processor: 0, cores: 0 };

/** Smooths measurements. */
export class LoadMeter {
  readonly #cores: number;
  readonly #samples: { cores: number; pacer: number; decoding: number }[] = [];
  #last: Sample | undefined;
  #load = NONE;

  /** @param cores Processors of the machine. */
  constructor(cores: number) {
    this.#cores = cores;
  }

  /** The load, as of the last measurement. */
  get load(): Load {
    return this.#load;
  }

  /** Takes a measurement. */
  add(sample: Sample): void {
    const last = this.#last;
    this.#last = sample;
    if (!last || sample.atMs <= last.atMs) return;
    const loads = (sample.engine?.pacers ?? []).map(({ loadPermille }) => loadPermille / 1000);
    this.#samples.push({
      cores: (sample.cpuUs - last.cpuUs) / 1000 / (sample.atMs - last.atMs),
      pacer: loads.length === 0 ? 0 : Math.min(...loads),
      decoding: (sample.engine?.encoding?.busyPermille ?? 0) / 1000,
    });
    if (this.#samples.length > WINDOW) this.#samples.shift();
    this.#load = this.#smoothed();
  }

  #smoothed(): Load {
    const samples = this.#samples;
    const mean = (of: (sample: { cores: number; pacer: number; decoding: number }) => number) =>
      samples.reduce((sum, sample) => sum + of(sample), 0) / WINDOW;
    const cores = mean((sample) => sample.cores);
    const pacer = mean((sample) => sample.pacer);
    const decoding = mean((sample) => sample.decoding);
    const processor = Math.min(1, cores / this.#cores);
    const total = Math.min(1, Math.max(pacer, decoding, processor));
    return { total, pacer, decoding, processor, cores };
  }
}
