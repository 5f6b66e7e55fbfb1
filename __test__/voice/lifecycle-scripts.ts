/** What the lifecycle tests run in processes of their own: `cycles`, `exit`, `close` or `worker` as the first argument. */

import { readdirSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { VoiceCredentials } from "../../ts/gateway/index.ts";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator } from "../../ts/simulator/index.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import { channelId, guildId, tune, userId } from "./bench.ts";

/** What a process holds on to. */
interface Holdings {
  threads: number;
  descriptors: number;
  timers: number;
  residentBytes: number;
}

/** A worker does not take over the loader of TypeScript from the process that makes it. */
const BOOTSTRAP = `
  const { workerData } = require("node:worker_threads");
  import("tsx/esm/api").then(({ register }) => {
    register();
    return import(workerData.script);
  });
`;
const CYCLES = 1000;
const AT_ONCE = 20;
const [task] = process.argv.slice(2);

if (!isMainThread) await playInWorker();
else if (task === "cycles") await cycles();
else if (task === "exit") await exitWhilePlaying();
else if (task === "close") await closeAndEnd();
else if (task === "worker") await workers();

/** Opens and closes a thousand connections, each with a track, after a few that warm everything up. */
async function cycles(): Promise<void> {
  const simulator = await DiscordSimulator.start({ resumeWindowMs: 1000 });
  const engine = new Engine();
  const gateway = simulator.mainGateway(userId);
  const manager = managerOf(engine, gateway);
  const batch = (first: number) =>
    Promise.all(
      Array.from({ length: AT_ONCE }, async (_, at) => {
        const connection = manager.connection(`${1000 + first + at}`);
        await connection.join(channelId, { timeoutMs: 120_000 });
        connection.player.play({ kind: "file", path: tune });
        await connection.destroy();
      }),
    );
  for (let first = 0; first < 5 * AT_ONCE; first += AT_ONCE) await batch(first);
  const before = await holdings();
  for (let first = 0; first < CYCLES; first += AT_ONCE) await batch(first);
  const after = await holdings();
  const { flows } = engine.stats();
  await manager.close();
  await engine.close();
  await simulator.close();
  say({ before, after, flows, end: await holdings() });
}

/** Ends the process in the middle of the sound. */
async function exitWhilePlaying(): Promise<void> {
  await play();
  say({ exits: true });
  process.exit(7);
}

/** Closes everything; the process has to end by itself. */
async function closeAndEnd(): Promise<void> {
  const { manager, engine, simulator } = await play();
  await manager.close();
  await engine.close();
  await simulator.close();
  say({ closed: true });
}

/** Workers that play: one closes what it opened, others are terminated while they play. */
async function workers(): Promise<void> {
  const simulator = await DiscordSimulator.start();
  const before = await holdings();
  for (const [at, ending] of ["close", "stay", "stay", "stay"].entries()) {
    const place = { guildId: `${1000 + at}`, channelId, userId };
    const workerData = { script: import.meta.url, credentials: simulator.admit(place) };
    const worker = new Worker(BOOTSTRAP, { eval: true, argv: [ending], workerData });
    const exited = new Promise<number>((resolve) => worker.once("exit", resolve));
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    if (ending === "stay") await worker.terminate();
    await exited;
    simulator.guild(place.guildId).kick(userId);
  }
  const after = await holdings();
  await simulator.close();
  say({ before, after });
}

/** The library alone, without a simulator: what other packages leave in a worker is not the question. */
async function playInWorker(): Promise<void> {
  const { credentials } = workerData as { credentials: VoiceCredentials };
  const engine = new Engine();
  const manager = new VoiceManager({ userId, engine, gateway: { insecureEndpoints: true } });
  const connection = manager.connection(credentials.guildId);
  connection.player.play({ kind: "file", path: tune });
  connection.provide(credentials);
  while (connection.statistics().sent.packets < 10) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (task === "close") {
    await manager.close();
    await engine.close();
  }
  parentPort?.postMessage("playing");
}

async function play() {
  const simulator = await DiscordSimulator.start();
  const engine = new Engine();
  const manager = managerOf(engine, simulator.mainGateway(userId));
  const listener = simulator.listen({ guildId, channelId });
  const connection = manager.connection(guildId);
  await connection.join(channelId, { timeoutMs: 120_000 });
  connection.player.play({ kind: "file", path: tune });
  if (!(await listener.waitFor(({ packets }) => packets.length > 10, 120_000))) {
    throw new Error("nothing was heard");
  }
  return { simulator, engine, manager };
}

function managerOf(engine: Engine, gateway: ReturnType<DiscordSimulator["mainGateway"]>) {
  const manager = new VoiceManager({
    userId,
    engine,
    sendPayload: (_guild, payload) => gateway.send(payload),
    gateway: { insecureEndpoints: true },
  });
  gateway.on("dispatch", (packet) => manager.handleDispatch(packet));
  return manager;
}

/** Counts once sockets that were closed are gone: the lowest of several looks. */
async function holdings(): Promise<Holdings> {
  const looks: Holdings[] = [];
  for (let look = 0; look < 20; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    globalThis.gc?.();
    looks.push({
      threads: readdirSync("/proc/self/task").length,
      descriptors: readdirSync("/proc/self/fd").length,
      timers: process.getActiveResourcesInfo().filter((name) => name === "Timeout").length,
      residentBytes: process.memoryUsage().rss,
    });
  }
  const least = (key: keyof Holdings): number => Math.min(...looks.map((found) => found[key]));
  return {
    threads: least("threads"),
    descriptors: least("descriptors"),
    timers: least("timers"),
    residentBytes: least("residentBytes"),
  };
}

function say(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
