/** What a call costs: memory while it plays, rests and encodes; encoding itself; one stream for many calls. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Contender } from "../harness/contenders.ts";
import { type Entry, inTurn, type Result } from "../harness/rounds.ts";
import { type Spread, spread } from "../harness/statistics.ts";
import type { Context, Experiment, Figures, Section, Size } from "./experiment.ts";
import { find, show } from "./experiment.ts";

const ROUNDS: Record<Size, number> = { full: 5, quick: 1, smoke: 1 };
const SECONDS: Record<Size, number> = { full: 8, quick: 2, smoke: 0.5 };
const MEMORY_CALLS: Record<Size, number> = { full: 500, quick: 200, smoke: 8 };
/** Few enough that no sender lacks time for its encoding. */
const ENCODE_CALLS: Record<Size, number> = { full: 40, quick: 20, smoke: 2 };
const SHARED_CALLS: Record<Size, number> = { full: 100, quick: 100, smoke: 4 };

/** Memory per playing, idle and encoding call. */
export const memory: Experiment = {
  name: "memory",
  async run(context: Context): Promise<Section> {
    const calls = MEMORY_CALLS[context.size];
    const encoding = ENCODE_CALLS[context.size];
    const rows: Section["tables"][number]["rows"] = [];
    const figures: Figures = {};
    const data: Result[] = [];
    const entries = context.contenders.flatMap((contender): Entry[] => {
      const seconds = SECONDS[context.size] / 2;
      const playing: Entry = { label: `${contender.name}: playing`, contender, calls, seconds };
      if (!manages(contender)) return [playing];
      return [
        playing,
        { ...playing, label: `${contender.name}: idle`, work: "idle" },
        { ...playing, label: `${contender.name}: encoding`, calls: encoding, work: "encode" },
      ];
    });
    for (const result of await inTurn(context.stage, entries, ROUNDS[context.size], context.tell)) {
      const bytes = perCall(result);
      figures[`${result.label}: bytes a call`] = bytes;
      rows.push([result.label, result.calls, result.failure ?? show(bytes, 1, 1 / 1024)]);
      data.push(result);
    }
    const bars = Object.entries(figures).flatMap(([label, value]) =>
      value
        ? [{ label: label.replace(": bytes a call", ""), spread: scaled(value, 1 / 1024) }]
        : [],
    );
    return {
      name: "memory",
      title: "Memory per call",
      method:
        "Resident memory with all calls, less that of the loaded program before the first, divided by the calls. " +
        "It includes each call's gateway connection (TLS) where the sender has one.",
      tables: [{ columns: ["sender", "calls", "KiB a call"], rows }],
      plots: [{ kind: "bars", title: "Memory per call", unit: "KiB", bars }],
      figures,
      data,
    };
  },
};

/** Encoding: what is spent beyond the codec itself, and how many such calls a core carries. */
export const transcode: Experiment = {
  name: "transcode",
  async run(context: Context): Promise<Section> {
    const { size, stage, tell, fixture, root } = context;
    const calls = ENCODE_CALLS[size];
    const entries = context.contenders.filter(manages).map(
      (contender): Entry => ({
        label: contender.name,
        contender,
        calls,
        seconds: SECONDS[size],
        work: "encode",
      }),
    );
    const bare: number[] = [];
    const results: Result[][] = [];
    for (let round = 0; round < ROUNDS[size]; round++) {
      tell(`round ${round + 1}: the bare codec`);
      bare.push(bareCodec(root, fixture.wav));
      results.push(await inTurn(stage, entries, 1, tell));
    }
    const figures: Figures = { "bare codec: µs/frame": spread(bare) };
    const rows = [["bare codec", "", show(spread(bare), 1), "", ""]];
    for (const [at, { label }] of entries.entries()) {
      const rounds = results.flatMap((round) => round[at]?.rounds ?? []);
      const frame = spread(rounds.map((round) => round.cpuUsPerPacket));
      const workers = spread(
        rounds.map(
          (round) => threadUs(round.threads, "cadenza-decode") / Math.max(1, round.packets),
        ),
      );
      figures[`${label}: encoding µs/packet`] = frame;
      if (label === "cadenza") figures["cadenza: workers µs/frame"] = workers;
      const players = frame && 20_000 / frame.median;
      rows.push([
        label,
        String(calls),
        show(frame, 1),
        label === "cadenza" ? show(workers, 1) : "",
        players === undefined ? "–" : players.toFixed(0),
      ]);
    }
    return {
      name: "transcode",
      title: "Calls that have to be encoded",
      method:
        "Every call plays 48 kHz samples from a WAV file, encoded at 128 kbit/s and complexity 10. The bare codec is the " +
        "same libopus in a loop over the same samples, with nothing around it.",
      tables: [
        {
          columns: ["sender", "calls", "CPU µs/frame", "of it decode workers", "calls a core"],
          rows,
        },
      ],
      plots: [],
      figures,
      data: results,
    };
  },
};

/** Many calls on one encoded stream against as many that each encode. */
export const shared: Experiment = {
  name: "shared",
  async run(context: Context): Promise<Section> {
    const { size, stage, tell } = context;
    const calls = SHARED_CALLS[size];
    const seconds = SECONDS[size];
    const contender = find(context, "cadenza");
    const other = find(context, "@discordjs/voice");
    const base = (who: Contender) => ({ contender: who, calls, seconds });
    const entries: Entry[] = contender
      ? [
          { ...base(contender), label: "cadenza: separate", work: "encode" },
          { ...base(contender), label: "cadenza: one stream", work: "shared" },
          ...(other
            ? [{ ...base(other), label: "@discordjs/voice: one player", work: "shared" as const }]
            : []),
        ]
      : [];
    const results = await inTurn(stage, entries, ROUNDS[size], tell);
    const rows = results.map((result) => [
      result.label,
      result.calls,
      result.failure ?? show(spread(result.rounds.map((round) => round.cores)), 3),
      show(result.cpuUsPerPacket, 2),
      show(result.lateShare, 2, 100),
    ]);
    return {
      name: "shared",
      title: "One stream for many calls",
      method:
        "The same samples encoded by each call for itself, and encoded once for all of them. Lateness is that of " +
        "packets; separate encoders may not keep up with real time on a small machine, which costs complexity first.",
      tables: [{ columns: ["what", "calls", "cores", "CPU µs/packet", "late > 20 ms, %"], rows }],
      plots: [],
      figures: Object.fromEntries(
        results.map((result) => [`${result.label}: CPU µs/packet`, result.cpuUsPerPacket]),
      ),
      data: results,
    };
  },
};

/** Those that make calls of their own: the bare loops have none that rest or encode. */
function manages({ name }: Contender): boolean {
  return name === "cadenza" || name === "@discordjs/voice";
}

function perCall(result: Result): Spread | undefined {
  return spread(
    result.rounds.map(
      (round) => (round.residentBytes - round.loadedBytes) / Math.max(1, round.calls),
    ),
  );
}

function scaled({ median, min, max, rounds }: Spread, by: number): Spread {
  return { median: median * by, min: min * by, max: max * by, rounds };
}

function threadUs(threads: Readonly<Record<string, number>>, prefix: string): number {
  const own = Object.entries(threads).filter(([name]) => name.startsWith(prefix));
  return own.reduce((sum, [, ns]) => sum + ns / 1000, 0);
}

/** Microseconds per frame of libopus alone, as the engine builds it. */
function bareCodec(root: string, wav: string): number {
  const program = join(root, "target/release/bare-codec");
  const { stdout } = spawnSync(program, [wav], { encoding: "utf8" });
  return Number((JSON.parse(stdout || "{}") as { usPerFrame?: number }).usPerFrame);
}
