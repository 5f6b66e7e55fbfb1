/** The largest number of calls with less than one packet in a hundred more than 20 ms late. */

import type { Contender } from "../harness/contenders.ts";
import { inTurn, type Result } from "../harness/rounds.ts";
import type { Measurement } from "../harness/stage.ts";
import { spread } from "../harness/statistics.ts";
import type { Context, Experiment, Section, Size } from "./experiment.ts";
import { show } from "./experiment.ts";

/** The share of late packets that is still good. */
const GOOD = 0.01;
/** How near the search comes. */
const PRECISION: Record<Size, number> = { full: 1.08, quick: 1.4, smoke: 1.4 };
const SEARCH_SECONDS: Record<Size, number> = { full: 4, quick: 1, smoke: 0.5 };
const CONFIRM_SECONDS: Record<Size, number> = { full: 10, quick: 2, smoke: 0.5 };
const ROUNDS: Record<Size, number> = { full: 5, quick: 1, smoke: 1 };
/** Where a search stops, because nothing more is to be learned or ports run out. */
const MOST: Record<Size, number> = { full: 12_000, quick: 8_000, smoke: 16 };
/** Where the search begins. */
const FIRST: Record<Contender["name"], number> = {
  cadenza: 4000,
  "raw loop": 4000,
  "@discordjs/voice": 400,
  "plain Node loop": 600,
  songbird: 600,
  disgo: 600,
};

interface Level {
  calls: number;
  lateShare: number;
}

/** Searches for each sender's limit, and confirms it in rounds with the others. */
export const density: Experiment = {
  name: "density",
  async run(context: Context): Promise<Section> {
    const { size, stage, contenders, tell } = context;
    // A quick run compares the two that the claims are about.
    const quick = ["cadenza", "@discordjs/voice"];
    const chosen = contenders.filter(({ name }) => size === "full" || quick.includes(name));
    const levels = new Map<string, Level[]>();
    const found = new Map<Contender, number>();
    for (const contender of chosen) {
      const tried: Level[] = [];
      levels.set(contender.name, tried);
      const good = async (calls: number): Promise<boolean> => {
        tell(`density: ${contender.name} with ${calls} calls`);
        const act = { contender, calls, seconds: SEARCH_SECONDS[size] };
        const share = await stage.measure(act).then(late, () => 1);
        tried.push({ calls, lateShare: share });
        return share < GOOD;
      };
      found.set(contender, await search(FIRST[contender.name], MOST[size], good, PRECISION[size]));
    }
    const confirmed = await confirm(context, found, levels);
    return section(confirmed, levels, MOST[size]);
  },
};

/** The largest number for which `good` holds, to within a factor of `precision`: up in steps, then by halves. */
export async function search(
  first: number,
  most: number,
  good: (calls: number) => Promise<boolean>,
  precision = PRECISION.full,
): Promise<number> {
  let calls = Math.min(first, most);
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  while (high > Math.max(1, low) * precision && calls > 0 && high - low > 1) {
    if (await good(calls)) low = calls;
    else high = calls;
    if (low >= most) return most;
    const up = Math.min(most, Math.ceil(calls * 1.5));
    const between = low === 0 ? Math.floor(high / 2) : Math.round((low + high) / 2);
    calls = high === Number.POSITIVE_INFINITY ? up : between;
  }
  return low;
}

function late({ lateShare }: Measurement): number {
  return lateShare;
}

/** A search is one look at each number; what it found has to hold in several rounds, or gives way by a tenth. */
async function confirm(
  { size, stage, tell }: Context,
  found: ReadonlyMap<Contender, number>,
  levels: ReadonlyMap<string, Level[]>,
): Promise<Result[]> {
  const confirmed: Result[] = [];
  let open = [...found].filter(([, calls]) => calls > 0);
  for (let tries = 0; open.length > 0 && tries < 4; tries++) {
    const entries = open.map(([contender, calls]) => ({
      label: contender.name,
      contender,
      calls,
      seconds: CONFIRM_SECONDS[size],
    }));
    const results = await inTurn(stage, entries, ROUNDS[size], tell);
    const holds = (result: Result): boolean => (result.lateShare?.median ?? 1) < GOOD;
    for (const result of results) {
      const { calls, lateShare } = result;
      if (lateShare) levels.get(result.label)?.push({ calls, lateShare: lateShare.median });
      if (holds(result) || tries === 3) confirmed.push(result);
    }
    open = open
      .filter((_, at) => !results[at] || !holds(results[at]))
      .map(([contender, calls]): [Contender, number] => [contender, Math.floor(calls * 0.9)])
      .filter(([, calls]) => calls > 0);
  }
  return confirmed;
}

function section(
  confirmed: readonly Result[],
  levels: ReadonlyMap<string, Level[]>,
  most: number,
): Section {
  const rows = confirmed.map((result) => [
    result.label,
    result.calls >= most ? `≥ ${result.calls}` : result.calls,
    show(result.lateShare, 2, 100),
    show(result.p99Us, 0),
    show(result.cpuUsPerPacket, 2),
  ]);
  const series = [...levels].map(([label, tried]) => ({
    label,
    points: [...tried]
      .sort((a, b) => a.calls - b.calls)
      .map(({ calls, lateShare }): [number, number] => [calls, Math.max(1e-5, lateShare)]),
  }));
  return {
    name: "density",
    title: "How many calls one process carries",
    method:
      "The largest number of calls with less than 1 % of packets more than 20 ms late or missing: found by a " +
      "search, then confirmed by the median of several rounds.",
    tables: [{ columns: ["sender", "calls", "late > 20 ms, %", "p99 µs", "CPU µs/packet"], rows }],
    plots: [
      {
        kind: "lines",
        title: "Calls against late packets",
        x: { label: "calls", scale: "log" },
        y: { label: "share of packets > 20 ms late", scale: "log" },
        series,
        mark: { y: GOOD, label: "1 %" },
      },
    ],
    figures: Object.fromEntries(
      confirmed.map((result) => [`${result.label}: density`, spread([result.calls])]),
    ),
    data: { confirmed, levels: Object.fromEntries(levels) },
  };
}
