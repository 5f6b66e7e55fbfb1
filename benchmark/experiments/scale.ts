/** Ten thousand idle and five thousand playing calls in one process, with their whole control plane. */

import { cpus } from "node:os";
import type { Contender } from "../harness/contenders.ts";
import { openFiles, residentBytes } from "../harness/proc.ts";
import type { Measurement } from "../harness/stage.ts";
import { pause } from "../harness/stage.ts";
import { spread } from "../harness/statistics.ts";
import type { Context, Experiment, Section, Size } from "./experiment.ts";
import { find } from "./experiment.ts";

const IDLE: Record<Size, number> = { full: 10_000, quick: 1_000, smoke: 10 };
const PLAYING: Record<Size, number> = { full: 5_000, quick: 500, smoke: 5 };
/** Long enough for every call's heartbeats and keepalives to come up several times. */
const SECONDS: Record<Size, number> = { full: 30, quick: 6, smoke: 0.5 };
/** A socket to the gateway and one for sound. */
const DESCRIPTORS_PER_CALL = 2;
/** What a process has open besides its calls. */
const OTHER_DESCRIPTORS = 200;
/** Joins under way at the same time: a bot's gateways allow no more. */
const JOINS = 100;

interface Part {
  what: string;
  calls: number;
  measured: Measurement;
  gatewayBytes: number;
}

/** Both crowds, one after the other. */
export const scale: Experiment = {
  name: "scale",
  async run(context: Context): Promise<Section> {
    const { size, tell } = context;
    const contender = find(context, "cadenza");
    const parts: Part[] = [];
    if (contender) {
      for (const [what, calls, work] of [
        ["idle", Math.min(IDLE[size], callsPermitted()), "idle"],
        ["playing", Math.min(PLAYING[size], callsPermitted()), "play"],
      ] as const) {
        tell(`scale: ${calls} ${what} calls`);
        parts.push(await crowd(context, contender, what, calls, work));
      }
    }
    return {
      name: "scale",
      title: "Crowds in one process",
      method:
        "As many calls as the limit of open files permits, on one sending thread a core. They are joined a hundred at a " +
        "time, each with its gateway connection (TLS), heartbeats and keepalives. Then CPU by thread and memory are " +
        "taken over the time given. Lateness is that of the playing crowd.",
      tables: [crowds(parts), threads(parts)],
      plots: [],
      figures: Object.fromEntries(
        parts.flatMap(({ what, calls, measured }) => [
          [`${calls} ${what}: cores`, spread([measured.cores])],
          [`${calls} ${what}: bytes a call`, spread([perCall(measured)])],
          [`${calls} ${what}: late share`, spread([measured.lateShare])],
        ]),
      ),
      data: parts,
    };
  },
};

/** As many calls as may be open at once, where the system tells. */
function callsPermitted(): number {
  const limit = openFiles(process.pid) ?? Number.POSITIVE_INFINITY;
  return Math.floor((limit - OTHER_DESCRIPTORS) / DESCRIPTORS_PER_CALL);
}

async function crowd(
  { stage, size }: Context,
  contender: Contender,
  what: string,
  calls: number,
  work: "idle" | "play",
): Promise<Part> {
  const act = {
    contender,
    calls,
    seconds: SECONDS[size],
    work,
    extra: { joins: JOINS, pacers: cpus().length },
  };
  return stage.with(act, async (playing) => {
    await pause(2000);
    const measured = await stage.listen(act, playing);
    return { what, calls, measured, gatewayBytes: residentBytes(stage.gatewayPid) };
  });
}

function crowds(parts: readonly Part[]): Section["tables"][number] {
  const rows = parts.map(({ what, calls, measured, gatewayBytes }) => [
    `${calls} ${what}`,
    (measured.joinMs / 1000).toFixed(1),
    measured.cores.toFixed(3),
    (measured.residentBytes / 2 ** 20).toFixed(0),
    (perCall(measured) / 1024).toFixed(1),
    what === "idle" ? "" : (measured.lateShare * 100).toFixed(2),
    what === "idle" ? "" : measured.p99Us,
    (gatewayBytes / 2 ** 20).toFixed(0),
  ]);
  const columns = [
    "crowd",
    "joined in s",
    "cores",
    "resident MiB",
    "KiB a call",
    "late > 20 ms, %",
    "p99 µs",
    "gateway stand-in MiB",
  ];
  return { columns, rows };
}

/** Which part of the process the CPU time goes to. */
function threads(parts: readonly Part[]): Section["tables"][number] {
  const rows = parts.flatMap(({ what, calls, measured }) => {
    const all = Object.values(measured.threads).reduce((sum, ns) => sum + ns, 0);
    return Object.entries(measured.threads)
      .sort(([, a], [, b]) => b - a)
      .filter(([, ns]) => ns > all / 200)
      .map(([name, ns]) => [
        `${calls} ${what}`,
        name,
        (ns / 1e9 / measured.seconds).toFixed(4),
        `${((ns / all) * 100).toFixed(1)} %`,
      ]);
  });
  return { columns: ["crowd", "thread", "cores", "share"], rows };
}

function perCall(measured: Measurement): number {
  return (measured.residentBytes - measured.loadedBytes) / Math.max(1, measured.calls);
}
