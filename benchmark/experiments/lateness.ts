/** Lateness and cost at equal load, and the same with the JavaScript thread blocked. */

import type { Contender } from "../harness/contenders.ts";
import { type Entry, inTurn, type Result } from "../harness/rounds.ts";
import { later } from "../harness/statistics.ts";
import type { Context, Experiment, Figures, Plot, Section, Size } from "./experiment.ts";
import { show } from "./experiment.ts";

/** Calls at which senders are compared. */
const LOADS: Record<Size, number[]> = { full: [100, 600, 3000], quick: [300], smoke: [8] };
const ROUNDS: Record<Size, number> = { full: 5, quick: 2, smoke: 1 };
const BLOCKED_ROUNDS: Record<Size, number> = { full: 5, quick: 1, smoke: 1 };
const SECONDS: Record<Size, number> = { full: 10, quick: 2, smoke: 0.5 };
const BLOCKED_CALLS: Record<Size, number> = { full: 600, quick: 300, smoke: 8 };
const BLOCKED_SECONDS: Record<Size, number> = { full: 10, quick: 3, smoke: 0.5 };

/**
 * Calls beyond which a sender is not asked: far above what it carries, joining alone would take longer
 * than everything else.
 */
const LIMITS: Partial<Record<Contender["name"], number>> = {
  "@discordjs/voice": 1000,
  "plain Node loop": 1500,
  disgo: 1500,
  songbird: 1500,
};

/** Every sender at the same numbers of calls. */
export const lateness: Experiment = {
  name: "lateness",
  async run(context: Context): Promise<Section> {
    const { size, stage, contenders, tell } = context;
    const results: Result[] = [];
    for (const calls of LOADS[size]) {
      const entries = contenders
        .filter(({ name }) => calls <= (LIMITS[name] ?? Number.POSITIVE_INFINITY))
        .map(
          (contender): Entry => ({
            label: contender.name,
            contender,
            calls,
            seconds: SECONDS[size],
          }),
        );
      results.push(...(await inTurn(stage, entries, ROUNDS[size], tell)));
    }
    return {
      name: "lateness",
      title: "Lateness and cost at equal load",
      method:
        "Every sender plays the same Opus frames to the same receiver, in turn. A packet's lateness is its " +
        "kernel receive time against its call's own best 20 ms grid. Medians of the rounds, in brackets the " +
        "least and the greatest.",
      tables: [table(results)],
      plots: [...LOADS[size].map((calls) => distribution(results, calls)), costs(results)],
      figures: figures(results, ""),
      data: results,
    };
  },
};

/** cadenza, @discordjs/voice and the plain loop while JavaScript does something else. */
export const blocked: Experiment = {
  name: "blocked",
  async run(context: Context): Promise<Section> {
    const { size, stage, contenders, tell } = context;
    const calls = BLOCKED_CALLS[size];
    const seconds = BLOCKED_SECONDS[size];
    const entries = contenders
      .filter(({ name }) => ["cadenza", "@discordjs/voice", "plain Node loop"].includes(name))
      .flatMap((contender): Entry[] => [
        { label: `${contender.name}, free`, contender, calls, seconds },
        {
          label: `${contender.name}, blocked 100 ms a second`,
          contender,
          calls,
          seconds,
          prompt: "block often",
        },
        {
          label: `${contender.name}, blocked 2 s once`,
          contender,
          calls,
          seconds,
          prompt: "block once",
        },
      ]);
    const results = await inTurn(stage, entries, BLOCKED_ROUNDS[size], tell);
    return {
      name: "blocked",
      title: "While the JavaScript thread is blocked",
      method:
        "The same, with a busy loop on the JavaScript thread: for 100 ms of every second, and once for two seconds.",
      tables: [table(results)],
      plots: [distribution(results, calls)],
      figures: figures(results, "blocked "),
      data: results,
    };
  },
};

function table(results: readonly Result[]): Section["tables"][number] {
  const rows = results.map((result) => {
    const { opened, unopened, unknown } = total(result);
    return [
      result.label,
      result.calls,
      result.failure ?? show(result.lateShare, 2, 100),
      show(result.p50Us, 0),
      show(result.p99Us, 0),
      show(result.p999Us, 0),
      show(result.maxUs, 0),
      show(result.cpuUsPerPacket, 2),
      opened + unopened === 0 ? "–" : `${opened - unknown} of ${opened + unopened}`,
      result.rounds.filter((round) => round.disturbed).length || "",
    ];
  });
  const columns = [
    "sender",
    "calls",
    "late > 20 ms, %",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "max µs",
    "CPU µs/packet",
    "sample opened",
    "disturbed",
  ];
  return { columns, rows };
}

function total(result: Result): { opened: number; unopened: number; unknown: number } {
  const sum = (field: "opened" | "unopened" | "unknown"): number =>
    result.rounds.reduce((all, round) => all + round[field], 0);
  return { opened: sum("opened"), unopened: sum("unopened"), unknown: sum("unknown") };
}

function distribution(results: readonly Result[], calls: number): Plot {
  const series = results
    .filter((result) => result.calls === calls && result.histogram.length > 0)
    .map((result) => ({
      label: result.label,
      // A logarithmic axis has no zero: what is on time to the microsecond stands at its left end.
      points: later(result.histogram)
        .filter(([, share]) => share > 0)
        .map(([us, share]): [number, number] => [Math.max(1, us) / 1000, share]),
    }));
  return {
    kind: "lines",
    title: `Packets later than… at ${calls} calls`,
    x: { label: "lateness, ms", scale: "log" },
    y: { label: "share of packets later", scale: "log" },
    series,
  };
}

function costs(results: readonly Result[]): Plot {
  const bars = results.flatMap((result) =>
    result.cpuUsPerPacket
      ? [{ label: `${result.label}, ${result.calls}`, spread: result.cpuUsPerPacket }]
      : [],
  );
  return { kind: "bars", title: "CPU per packet", unit: "µs", bars };
}

function figures(results: readonly Result[], prefix: string): Figures {
  const entries = results.flatMap((result) => {
    const name = `${prefix}${result.label} at ${result.calls}`;
    return [
      [`${name}: late share`, result.lateShare],
      [`${name}: p50 µs`, result.p50Us],
      [`${name}: p99 µs`, result.p99Us],
      [`${name}: CPU µs/packet`, result.cpuUsPerPacket],
    ] as const;
  });
  return Object.fromEntries(entries);
}
