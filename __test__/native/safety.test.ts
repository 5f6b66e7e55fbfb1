/** The addon in a process that misbehaves: copies of it, exits, errors, collected garbage, workers that come and go. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";

const script = fileURLToPath(new URL("safety-scripts.ts", import.meta.url));
/** Mappings, threads and descriptors can be looked at on Linux alone. */
const countable = process.platform === "linux";
/** What an engine holds at the least: the places on its pacer. The allocator and V8 keep some of what was freed. */
const ENGINE_BYTES = 1_800_000;
const MISTAKE = /a mistake of the bot/;

interface Ended {
  code: number | null;
  signal: string | null;
  out: string;
  err: string;
}

interface Holdings {
  threads: number;
  descriptors: number;
  residentBytes: number;
}

/** Runs a task in a process of its own, to its end. */
function run(t: ExecutionContext, task: string, flags: string[] = []): Promise<Ended> {
  t.timeout(300_000);
  const child = spawn(process.execPath, [...flags, "--import=tsx", script, task]);
  const ended: Ended = { code: null, signal: null, out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    ended.out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    ended.err += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ ...ended, code, signal }));
  });
}

async function succeed(t: ExecutionContext, task: string, flags: string[] = []): Promise<unknown> {
  const { code, signal, out, err } = await run(t, task, flags);
  t.deepEqual([code, signal], [0, null], err);
  return JSON.parse(out);
}

for (const [task, code] of [
  ["exit", 7],
  ["exitWhileClosing", 8],
  ["handled", 9],
] as const) {
  test(`${task}: the process ends with the code it chose, however often`, async (t) => {
    for (let time = 0; time < 3; time += 1) {
      const { err, ...ended } = await run(t, task);
      t.deepEqual(ended, { code, signal: null, out: "" }, err);
    }
  });
}

for (const task of ["throw", "reject"]) {
  test(`${task}: an error nobody handles ends the process as it does without sound`, async (t) => {
    const { code, signal, err } = await run(t, task);
    t.deepEqual([code, signal], [1, null], err);
    t.regex(err, MISTAKE);
  });
}

if (countable) {
  test("two copies of the package share a process", async (t) => {
    t.deepEqual(await succeed(t, "copies"), { distinct: true, addons: 2 });
  });

  test("collected garbage takes nothing along and leaves nothing", async (t) => {
    const said = await succeed(t, "collect", ["--expose-gc", "--gc-interval=2000"]);
    const { before, after, rounds } = said as { before: Holdings; after: Holdings; rounds: number };
    assertNothingLeft(t, before, after, rounds);
  });

  test("workers come and go", async (t) => {
    const said = await succeed(t, "workers", ["--expose-gc"]);
    const { before, after, workers } = said as {
      before: Holdings;
      after: Holdings;
      workers: number;
    };
    assertNothingLeft(t, before, after, workers);
  });
}

function assertNothingLeft(t: ExecutionContext, before: Holdings, after: Holdings, times: number) {
  // One more or less is a thread of Node.js that is on its way out.
  t.true(after.threads <= before.threads + 1, JSON.stringify({ before, after }));
  t.true(after.descriptors <= before.descriptors + 2, JSON.stringify({ before, after }));
  const grown = (after.residentBytes - before.residentBytes) / times;
  t.true(grown < ENGINE_BYTES / 2, `${Math.round(grown)} bytes each time`);
}
