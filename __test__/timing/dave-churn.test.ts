/** 200 encrypted calls play while somebody comes or goes every two seconds; no packet is late because of it. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import test from "ava";
import { Engine } from "../../ts/native/index.ts";
import type { SimCredentials } from "../../ts/simulator/index.ts";
import type { VoiceConnection } from "../../ts/voice/connection.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";

const CALLS = 200;
/** Each round measures the same calls twice: while nobody moves, and while somebody does every two seconds. */
const CALM_MS = 8000;
const CHURN_MS = 16_000;
/** Other programs on the machine disturb a round; a pacer that waits for the group spoils all of them. */
const ROUNDS = 3;
/** Share of late packets by which two stretches of time on a shared machine differ by themselves. */
const TOLERANCE = 0.003;
const tune = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));

/** What the other side says at the end. */
interface Report {
  changes: number;
  epochs: number;
  unopened: number;
  codes: string[];
}

test("200 encrypted calls with a change of members every two seconds", async (t) => {
  t.timeout(600_000);
  const world = fork(fileURLToPath(new URL("./dave-calls.ts", import.meta.url)), [`${CALLS}`], {
    execArgv: ["--import=tsx"],
  });
  const engine = new Engine();
  const gateway = { insecureEndpoints: true };
  const manager = new VoiceManager({ userId: "104694319306248192", engine, gateway });
  t.teardown(async () => {
    await manager.close();
    await engine.close();
    world.kill();
  });
  const connections = await connect(manager, world);
  t.is(connections.length, CALLS, "every member has a group with its bot");
  for (const connection of connections) loop(connection);
  await pause(3000);
  let excess = Number.POSITIVE_INFINITY;
  for (let round = 1; round <= ROUNDS && excess > TOLERANCE; round++) {
    const calm = await lateness(connections, CALM_MS);
    world.send("churn");
    const churn = await lateness(connections, CHURN_MS);
    world.send("calm");
    t.log(`calm: ${calm.late} of ${calm.packets} packets late, ${calm.skipped} skipped`);
    t.log(`changing: ${churn.late} of ${churn.packets} packets late, ${churn.skipped} skipped`);
    excess = share(churn) - share(calm);
  }
  t.true(excess <= TOLERANCE, `${(100 * excess).toFixed(3)} % more packets are late`);
  world.send("stop");
  const report = await next<Report>(world);
  t.log(`${report.changes} changes, ${report.epochs} epochs, ${report.unopened} unopened`);
  t.true(report.changes >= 6 && report.epochs >= CALLS + report.changes - 1);
  t.is(report.unopened, 0, "what was sent could be opened");
  t.deepEqual(
    report.codes.filter((code) => code.startsWith("dave")),
    [],
  );
});

/** Puts the bot into every call, each with one member who has keys. */
async function connect(manager: VoiceManager, world: ChildProcess): Promise<VoiceConnection[]> {
  const { credentials } = await next<{ credentials: SimCredentials[] }>(world);
  const ready = next<{ ready: number }>(world);
  const connections = credentials.map((given) => {
    const connection = manager.connection(given.guildId);
    connection.provide(given);
    return connection;
  });
  const { ready: count } = await ready;
  return connections.slice(0, count);
}

function loop(connection: VoiceConnection): void {
  const again = (): unknown => connection.player.play({ kind: "file", path: tune });
  connection.player.on("trackEnd", (_, reason) => reason === "finished" && again());
  again();
}

interface Lateness {
  packets: number;
  late: number;
  skipped: number;
}

/** Packets sent in the time to come, and those more than 20 ms after they were due. */
async function lateness(connections: readonly VoiceConnection[], ms: number): Promise<Lateness> {
  const before = counts(connections);
  await pause(ms);
  const { packets, late, skipped } = counts(connections);
  return {
    packets: packets - before.packets,
    late: late - before.late,
    skipped: skipped - before.skipped,
  };
}

function share({ packets, late, skipped }: Lateness): number {
  return (late + skipped) / Math.max(1, packets + skipped);
}

function counts(connections: readonly VoiceConnection[]): Lateness {
  const sum = { packets: 0, late: 0, skipped: 0 };
  for (const connection of connections) {
    const { sent } = connection.statistics();
    sum.packets += sent.packets;
    sum.late += sent.late;
    sum.skipped += sent.skipped;
  }
  return sum;
}

async function next<T>(child: ChildProcess): Promise<T> {
  const [message] = (await once(child, "message")) as [T];
  return message;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
