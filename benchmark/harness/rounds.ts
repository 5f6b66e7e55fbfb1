/** Rounds in turn, A/B/A/B, so that whatever else changes on the machine changes for everybody. */

import type { Act, Measurement, Stage } from "./stage.ts";
import {
  type Histogram,
  mergeHistograms,
  percentile,
  type Spread,
  spread,
  undisturbed,
} from "./statistics.ts";

/** Times that a disturbed round is measured at most. */
const TRIES = 3;

/** One row of a comparison: an act under a name. */
export interface Entry extends Act {
  label: string;
}

/** All rounds of one entry. */
export interface Result {
  label: string;
  sender: string;
  calls: number;
  seconds: number;
  rounds: (Measurement & { disturbed: boolean; repeats: number })[];
  lateShare: Spread | undefined;
  cpuUsPerPacket: Spread | undefined;
  p50Us: Spread | undefined;
  p99Us: Spread | undefined;
  p999Us: Spread | undefined;
  maxUs: Spread | undefined;
  /** All rounds' packets. */
  histogram: Histogram;
  pooledP999Us: number;
  /** Why rounds are missing. */
  failure?: string;
}

/** Measures all entries in turn, `count` times. One that fails is left out of the later rounds. */
export async function inTurn(
  stage: Stage,
  entries: readonly Entry[],
  count: number,
  tell: (text: string) => void,
): Promise<Result[]> {
  const rounds = new Map<string, Result["rounds"]>(entries.map(({ label }) => [label, []]));
  const failures = new Map<string, string>();
  for (let round = 1; round <= count; round++) {
    for (const entry of entries) {
      if (failures.has(entry.label)) continue;
      tell(`round ${round}/${count}: ${entry.label}, ${entry.calls} calls`);
      try {
        const measured = await undisturbed(TRIES, () => stage.measure(entry));
        rounds.get(entry.label)?.push(measured);
      } catch (error) {
        failures.set(entry.label, inOneLine(error));
        tell(`${entry.label} failed: ${failures.get(entry.label)}`);
      }
    }
  }
  return entries.map((entry) => summarise(entry, rounds.get(entry.label) ?? [], failures));
}

/** What went wrong, without the stack that a program may have printed with it. */
function inOneLine(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  const line = lines.find((text) => /Error\b/.test(text)) ?? lines[0] ?? "";
  return line.trim().slice(0, 120);
}

function summarise(
  { label, contender, calls, seconds }: Entry,
  rounds: Result["rounds"],
  failures: ReadonlyMap<string, string>,
): Result {
  const of = (field: "lateShare" | "cpuUsPerPacket" | "p50Us" | "p99Us" | "p999Us" | "maxUs") =>
    spread(rounds.map((round) => round[field]));
  const histogram = mergeHistograms(rounds.map((round) => round.histogram));
  const failure = failures.get(label);
  return {
    label,
    sender: contender.name,
    calls,
    seconds,
    rounds,
    lateShare: of("lateShare"),
    cpuUsPerPacket: of("cpuUsPerPacket"),
    p50Us: of("p50Us"),
    p99Us: of("p99Us"),
    p999Us: of("p999Us"),
    maxUs: of("maxUs"),
    histogram,
    pooledP999Us: percentile(histogram, 0.999),
    ...(failure === undefined ? {} : { failure }),
  };
}
