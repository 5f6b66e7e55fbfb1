/** Keeps what the dashboard shows over time: one sample a second, and the last errors. */

import type { PacerStats } from "../../native/types.ts";
import type { Load } from "../load-meter.ts";
import type { NodeEvent } from "../ops/protocol.ts";
import type { RecentError, Sample } from "./snapshot.ts";

/** Samples that are kept: ten minutes. */
export const MAX_SAMPLES = 600;
/** Errors that are kept. */
export const MAX_ERRORS = 100;
/** Longest message of an error that is kept. */
const MAX_MESSAGE = 300;
/** Later than this is heard. */
const LATE_US = 20_000;
/** Frames below which a queue is short. */
const SHORT_QUEUE = 3;

/** What a sample is made of. */
export interface Measured {
  /** Milliseconds since 1970. */
  at: number;
  load: Load;
  memory: number;
  pacers: readonly PacerStats[];
  /** The players that play, and the frames that wait ahead of them. */
  queues: readonly { player: object; frames: number }[];
}

interface LatenessCounts {
  count: number;
  within: Map<number, number>;
}

/** The dashboard's memory. */
export class Recorder {
  readonly #samples: Sample[] = [];
  readonly #errors: RecentError[] = [];
  #before: LatenessCounts = { count: 0, within: new Map() };
  #newErrors = 0;
  #short = new Set<object>();

  /** The last errors, newest first. */
  get errors(): RecentError[] {
    return [...this.#errors].reverse();
  }

  /** The samples after a time in milliseconds since 1970, oldest first. */
  since(at: number): Sample[] {
    return this.#samples.filter((sample) => sample.at > at);
  }

  /** Notes an event that is told to a client, if it is about something that went wrong. */
  observe(userId: string, event: NodeEvent): void {
    const found = toError(event);
    if (!found) return;
    const { message, ...rest } = found;
    const guildId = "guild_id" in event ? (event.guild_id ?? null) : null;
    this.#errors.push({
      at: Date.now(),
      ...rest,
      message: message.slice(0, MAX_MESSAGE),
      user_id: userId,
      guild_id: guildId,
    });
    this.#newErrors += 1;
    if (this.#errors.length > MAX_ERRORS) this.#errors.shift();
  }

  /** Takes a measurement. */
  add({ at, load, memory, pacers, queues }: Measured): void {
    const { total, pacer, decoding, processor, cores } = load;
    const depths = this.#depths(queues);
    this.#samples.push({
      at,
      load: { total, pacer, decoding, processor },
      cores,
      memory,
      ...this.#lateness(pacers),
      queue_min: depths[0] ?? null,
      queue_median: depths[Math.floor((depths.length - 1) / 2)] ?? null,
      playing: queues.length,
      errors: this.#newErrors,
    });
    this.#newErrors = 0;
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  /** From the shortest to the longest. One that is short for the first time may belong to a track that ends, and is left out. */
  #depths(queues: Measured["queues"]): number[] {
    const before = this.#short;
    const short = queues.filter(({ frames }) => frames < SHORT_QUEUE);
    this.#short = new Set(short.map(({ player }) => player));
    const counted = queues.filter(
      ({ player, frames }) => frames >= SHORT_QUEUE || before.has(player),
    );
    return counted.map(({ frames }) => frames).sort((a, b) => a - b);
  }

  /** The engine counts since its start; a sample tells of the time since the one before. */
  #lateness(pacers: readonly PacerStats[]): Pick<Sample, "packets" | "late" | "p99"> {
    const before = this.#before;
    const now = addUp(pacers);
    this.#before = now;
    const packets = Math.max(0, now.count - before.count);
    const since = (bound: number): number =>
      Math.max(0, (now.within.get(bound) ?? 0) - (before.within.get(bound) ?? 0));
    const inTime = now.within.has(LATE_US) ? since(LATE_US) : packets;
    const bound = [...now.within.keys()].find((bound) => since(bound) >= packets * 0.99);
    const p99 = packets === 0 ? 0 : bound === undefined ? null : bound / 1000;
    return { packets, late: Math.max(0, packets - inTime), p99 };
  }
}

function addUp(pacers: readonly PacerStats[]): LatenessCounts {
  const sum: LatenessCounts = { count: 0, within: new Map() };
  for (const { lateness } of pacers) {
    sum.count += lateness.count;
    for (const { boundUs, count } of lateness.within) {
      sum.within.set(boundUs, (sum.within.get(boundUs) ?? 0) + count);
    }
  }
  return sum;
}

function toError(event: NodeEvent): Pick<RecentError, "kind" | "code" | "message"> | undefined {
  switch (event.type) {
    case "error":
      return { kind: "op", code: event.code, message: event.message };
    case "track_error":
      return { kind: "track", code: event.code, message: event.message };
    case "track_stuck":
      return { kind: "stuck", code: "track_stuck", message: `nothing for ${event.for_ms} ms` };
    case "voice_state":
      if (event.code === undefined) return undefined;
      return { kind: "voice", code: event.code, message: event.message ?? "" };
    default:
      return undefined;
  }
}
