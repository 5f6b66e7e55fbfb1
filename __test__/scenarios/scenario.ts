/** What a scenario is, and how one is run: a bot joins over the simulator and plays, something happens, it comes out right. */

import type { ImplementationFn } from "ava";
import test from "ava";
import type { ProblemCode, SimulatorOptions } from "../../ts/simulator/index.ts";
import type { GatewayOptions } from "../../ts/voice/options.ts";
import { type Bench, openBench, tune } from "../voice/bench.ts";

/** One row of a table. */
export interface Scenario {
  name: string;
  simulator?: SimulatorOptions;
  gateway?: GatewayOptions;
  /** Which milliseconds phases may take here, so that those that have to run out do so soon. */
  timeouts?: GatewayOptions["timeouts"];
  /** Before the bot joins. */
  given?: (bench: Bench) => void;
  /** Once it is heard; left out where the join itself is what matters. */
  when?: (bench: Bench) => unknown;
  outcome: Outcome;
  /** Objections of the simulator that do not count here, for a reason that stands beside them. */
  allows?: readonly ProblemCode[];
  /** What else has to be true at the end: a list of what is not. */
  also?: (bench: Bench, statuses: readonly string[]) => string[] | Promise<string[]>;
}

/** How it comes out. */
export type Outcome =
  /** Nothing is to be noticed: the session stays as it is. */
  | "undisturbed"
  /** The socket is opened anew, the session and its sound go on without a gap in the numbering. */
  | "resumed"
  /** A new session; the track goes on where it was. */
  | "rejoined"
  /** The join succeeds, however often it took. */
  | "joined"
  /** It is heard somewhere else, which `when` has waited for. */
  | "moved"
  /** The connection ends with this reason, and tries nothing more. */
  | { ends: string; closeCode?: number };

/** So long nothing may happen after an end, in milliseconds. */
const QUIET_MS = 250;
/** How many scenarios of one file run at once. */
const AT_ONCE = 4;
const LIMIT_MS = 60_000;

/** What says more about the machine that the tests run on than about the library. */
const OF_A_BUSY_MACHINE: ReadonlySet<string> = new Set([
  "heartbeat_late",
  "identify_late",
  "keepalive_missing",
  "timestamp_behind_clock",
  "timestamp_ahead_of_clock",
]);

let running = 0;
const waiting: (() => void)[] = [];

/** Registers a test for each row. */
export function scenarios(table: readonly Scenario[]): void {
  for (const scenario of table) {
    const run: ImplementationFn<[]> = async (t) => {
      t.timeout(10 * LIMIT_MS);
      await turn();
      try {
        t.deepEqual(await outcomeOf(scenario), []);
      } finally {
        running -= 1;
        waiting.shift()?.();
      }
    };
    test(scenario.name, run);
  }
}

/** Runs one row; what went wrong, nothing where all is as it should be. */
async function outcomeOf(scenario: Scenario): Promise<string[]> {
  const { outcome, gateway, timeouts } = scenario;
  await using bench = await openBench({
    simulator: { resumeWindowMs: 30_000, ...scenario.simulator },
    manager: { gateway: { ...gateway, ...(timeouts && { timeouts }) } },
  });
  const statuses: string[] = [];
  bench.connection.on("stateChange", (status) => statuses.push(status));
  scenario.given?.(bench);
  const joining = bench.connection.join(bench.channelId, { timeoutMs: LIMIT_MS });
  if (!scenario.when && typeof outcome === "object") {
    const error = await joining.then(
      () => undefined,
      (failure: { code?: string }) => failure.code,
    );
    const wrong = error === outcome.ends ? [] : [`the join ended with ${error}`];
    return [
      ...wrong,
      ...(await ended(bench, outcome, statuses)),
      ...(await rest(scenario, bench, statuses)),
    ];
  }
  await joining;
  bench.connection.player.play({ kind: "file", path: tune });
  if (!(await bench.hears(10))) return ["nothing was heard after the join"];
  if (!scenario.when) return rest(scenario, bench, statuses);
  statuses.length = 0;
  await scenario.when(bench);
  const wrong = await settled(scenario, bench, statuses);
  return [...wrong, ...(await rest(scenario, bench, statuses))];
}

/** What is wrong with what followed. */
async function settled(scenario: Scenario, bench: Bench, statuses: string[]): Promise<string[]> {
  const { outcome } = scenario;
  if (typeof outcome === "object") {
    if (!(await within(bench.reached("disconnected")))) return [`it did not end: ${statuses}`];
    return ended(bench, outcome, statuses);
  }
  if (outcome === "moved") return bench.connection.status === "ready" ? [] : [`${statuses}`];
  const wrong: string[] = [];
  const sessions = (): number => new Set(bench.listener.packets.map(({ ssrc }) => ssrc)).size;
  if (outcome === "resumed") {
    const tried = bench.until(() => statuses.includes("resuming"));
    if (!(await within(tried))) wrong.push("no resume was tried");
    if (!(await within(bench.reached("ready")))) wrong.push(`not ready again: ${statuses}`);
  }
  if (outcome === "rejoined") {
    const isNew = await bench.listener.waitFor(() => sessions() > 1, LIMIT_MS);
    if (!isNew)
      wrong.push(`no new session was heard: ${statuses}, ${bench.connection.reason?.code}`);
  }
  if (!(await bench.hears(15))) wrong.push(`nothing was heard afterwards: ${statuses}`);
  if (outcome === "undisturbed" && statuses.length > 0) wrong.push(`it was disturbed: ${statuses}`);
  if (outcome !== "rejoined" && outcome !== "joined") {
    if (sessions() !== 1) wrong.push(`${sessions()} sessions were heard`);
    wrong.push(...gaps(bench));
  }
  return wrong;
}

/** Missing sequence numbers. */
function gaps({ listener }: Bench): string[] {
  const [first, ...later] = listener.packets.map(({ sequence }) => sequence);
  if (first === undefined) return [];
  const broken = later.filter((sequence, at) => sequence !== ((first + at + 1) & 0xffff));
  return broken.length === 0 ? [] : [`the sequence breaks at ${broken[0]}`];
}

async function ended(
  { connection, simulator, guildId, userId }: Bench,
  { ends, closeCode }: Exclude<Outcome, string>,
  statuses: readonly string[],
): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  const { status, reason } = connection;
  const wrong: string[] = [];
  if (status !== "disconnected") wrong.push(`it went on: ${statuses}`);
  if (reason?.code !== ends) wrong.push(`it ended with ${reason?.code}`);
  if (closeCode !== undefined && reason?.closeCode !== closeCode) {
    wrong.push(`its close code is ${reason?.closeCode}`);
  }
  if (!reason?.message) wrong.push("there is no message for people");
  const attached = simulator
    .sessions()
    .filter((info) => info.guildId === guildId && info.userId === userId && info.isConnected);
  if (attached.length > 0) wrong.push("a session is still connected");
  return wrong;
}

/** What every scenario has to leave behind. */
async function rest(
  scenario: Scenario,
  bench: Bench,
  statuses: readonly string[],
): Promise<string[]> {
  const problems = bench.listener.problems
    .filter(({ code }) => !OF_A_BUSY_MACHINE.has(code) && !scenario.allows?.includes(code))
    .map(({ code, message }) => `${code}: ${message}`);
  return [...problems, ...((await scenario.also?.(bench, statuses)) ?? [])];
}

function within(promise: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), LIMIT_MS);
    void promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

async function turn(): Promise<void> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
}
