/** What the tests of the addon's safety run in processes of their own; the task is the first argument. */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { Engine } from "../../ts/native/index.ts";
import { Peer, playFile, tune } from "./safety-peer.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const generated = join(root, "ts/native/generated");
const GC_ROUNDS = 150;
const WORKERS = 24;
const WORKERS_AT_ONCE = 4;

/** A program for a worker: the addon alone, without a loader of TypeScript. */
const IN_WORKER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { BindingEngine } = require(workerData.addon);
  const engine = new BindingEngine({}, () => engine.drainEvents(256));
  const flow = engine.createFlow();
  engine.openTransport(flow, { address: "127.0.0.1", port: workerData.port, ssrc: 9, generation: 1 });
  engine.startSession(flow, { mode: "aead_aes256_gcm_rtpsize", key: Buffer.alloc(32, 5) });
  engine.play(flow, { track: 1, path: workerData.tune });
  const look = setInterval(async () => {
    if (engine.flowStats(flow).packetsSent < 5) return;
    clearInterval(look);
    if (workerData.closes) await engine.close();
    parentPort.postMessage("played");
    if (!workerData.closes) setInterval(() => engine.stats(), 1);
  }, 5);
`;

const tasks: Record<string, () => Promise<void>> = {
  copies,
  exit: () => endWhilePlaying(() => process.exit(7)),
  exitWhileClosing,
  throw: () => endWhilePlaying(throwLater),
  reject: () => endWhilePlaying(rejectLater),
  handled: () => endWhilePlaying(exitInHandler),
  collect,
  workers,
};
await tasks[process.argv[2] ?? ""]?.();

/** Two copies of the package, with an addon each, in one process: both play, and one outlives the other. */
async function copies(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cadenza-copies-"));
  try {
    const [first, second] = [await loadCopy(folder, "first"), await loadCopy(folder, "second")];
    const engines = [new first(), new second()] as const;
    const peers = [await Peer.open(), await Peer.open()] as const;
    for (const [at, engine] of engines.entries()) playFile(engine, peers[at] ?? peers[0]);
    await Promise.all(peers.map((peer) => peer.hears(25)));
    await engines[0].close();
    await peers[1].hears(25);
    const addons = new Set(mappedAddons().filter((path) => path.startsWith(folder)));
    await engines[1].close();
    for (const peer of peers) peer.close();
    say({ distinct: first !== second, addons: addons.size });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function loadCopy(folder: string, name: string): Promise<typeof Engine> {
  const copy = join(folder, name);
  cpSync(join(root, "ts"), join(copy, "ts"), { recursive: true, dereference: true });
  cpSync(join(root, "package.json"), join(copy, "package.json"));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const url = pathToFileURL(join(copy, "ts/native/index.ts")).href;
  return ((await import(url)) as { Engine: typeof Engine }).Engine;
}

/** Plays, then ends the process in some way. */
async function endWhilePlaying(end: () => void): Promise<void> {
  const peer = await Peer.open();
  playFile(new Engine(), peer);
  await peer.hears(10);
  end();
}

/** The engine's threads are being joined elsewhere when the process ends. */
async function exitWhileClosing(): Promise<void> {
  await endWhilePlaying(() => {
    const engines = Array.from({ length: 4 }, () => new Engine());
    for (const engine of engines) void engine.close();
    process.exit(8);
  });
}

function throwLater(): void {
  setTimeout(() => {
    throw new Error("a mistake of the bot");
  }, 1);
}

function rejectLater(): void {
  void Promise.reject(new Error("a mistake of the bot"));
}

function exitInHandler(): void {
  process.once("uncaughtException", () => process.exit(9));
  throwLater();
}

/** Garbage is collected at every step of engines, flows, events and frames, with closing and without. */
async function collect(): Promise<void> {
  const gc = globalThis.gc;
  if (!gc) throw new Error("run with --expose-gc");
  const peer = await Peer.open();
  const kept = new Engine();
  const round = async (at: number): Promise<void> => {
    const engine = new Engine();
    for (const each of [engine, kept]) {
      const flow = playFile(each, peer);
      gc();
      flow.pushFrames(Array.from({ length: 8 }, () => Buffer.alloc(60, at)));
      gc();
      // An engine that is closed closes what is open; the other one's calls end here.
      if (each === kept || at % 2 === 0) flow.close();
    }
    const closing = engine.close();
    gc();
    await closing;
    gc();
  };
  for (let at = 0; at < GC_ROUNDS / 3; at += 1) await round(at);
  const before = holdings();
  for (let at = 0; at < GC_ROUNDS; at += 1) await round(at);
  const after = holdings();
  await kept.close();
  peer.close();
  say({ before, after, rounds: GC_ROUNDS });
}

/** Workers that load the addon and play; half close what they opened, half are terminated while they play. */
async function workers(): Promise<void> {
  const peer = await Peer.open();
  const addon = join(
    generated,
    readdirSync(generated).find((name) => name.endsWith(".node")) ?? "",
  );
  const batch = async (first: number): Promise<void> => {
    const all = Array.from({ length: WORKERS_AT_ONCE }, (_, at) =>
      runWorker({ addon, tune, port: peer.port, closes: (first + at) % 2 === 0 }),
    );
    await Promise.all(all);
  };
  await batch(0);
  const before = holdings();
  for (let first = 0; first < WORKERS; first += WORKERS_AT_ONCE) await batch(first);
  const after = holdings();
  peer.close();
  say({ before, after, workers: WORKERS });
}

interface WorkerData {
  addon: string;
  tune: string;
  port: number;
  closes: boolean;
}

async function runWorker(workerData: WorkerData): Promise<void> {
  const worker = new Worker(IN_WORKER, { eval: true, workerData });
  const exited = new Promise((resolve) => worker.once("exit", resolve));
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  if (!workerData.closes) await worker.terminate();
  await exited;
}

function mappedAddons(): string[] {
  const maps = readFileSync("/proc/self/maps", "utf8");
  return [...maps.matchAll(/ (\/\S+\.node)$/gm)].map(([, path = ""]) => path);
}

function holdings(): { threads: number; descriptors: number; residentBytes: number } {
  globalThis.gc?.();
  return {
    threads: readdirSync("/proc/self/task").length,
    descriptors: readdirSync("/proc/self/fd").length,
    residentBytes: process.memoryUsage().rss,
  };
}

function say(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
