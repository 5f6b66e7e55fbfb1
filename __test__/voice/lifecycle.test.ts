/** Nothing is left behind: no thread, descriptor, timer or memory, over a thousand connections, workers and exits. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";

const script = fileURLToPath(new URL("lifecycle-scripts.ts", import.meta.url));
/** Threads and descriptors can be counted on Linux alone. */
const countable = process.platform === "linux";

/** Runs a task in a process of its own; what it said last, and how it ended. */
function run(t: ExecutionContext, task: string): Promise<{ said: Said; code: number | null }> {
  t.timeout(600_000);
  // With little room for young objects: how much of it is in use at the moment would be most of what is measured.
  const node = ["--import=tsx", "--expose-gc", "--max-semi-space-size=2", script, task];
  const child = spawn(process.execPath, node, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (signal) t.log(`ended by ${signal}`);
      const last = out.trim().split("\n").at(-1) ?? "";
      resolve({ said: last === "" ? {} : (JSON.parse(last) as Said), code });
    });
  });
}

interface Said {
  [name: string]: Record<string, number> | number | boolean | undefined;
}

test("a thousand connections leave no thread, descriptor, timer, flow or memory", async (t) => {
  const { said, code } = await run(t, "cycles");
  t.is(code, 0);
  t.is(said.flows, 0);
  if (!countable) return;
  const [before, after, end] = [said.before, said.after, said.end] as Record<string, number>[];
  t.is(after?.threads, before?.threads);
  t.is(after?.descriptors, before?.descriptors);
  t.is(after?.timers, before?.timers);
  const grown = ((end?.residentBytes ?? 0) - (before?.residentBytes ?? 0)) / 1000;
  t.true(grown < 30_000, `${grown} bytes per connection`);
  t.true((end?.threads ?? 99) < (before?.threads ?? 0), "the engine's threads are gone");
});

test("a process that has closed everything ends by itself", async (t) => {
  const { said, code } = await run(t, "close");
  t.deepEqual([said, code], [{ closed: true }, 0]);
});

test("process.exit in the middle of the sound ends the process, with its code", async (t) => {
  const { said, code } = await run(t, "exit");
  t.deepEqual([said, code], [{ exits: true }, 7]);
});

test("workers that close, and workers that are terminated while they play, leave nothing", async (t) => {
  const { said, code } = await run(t, "worker");
  t.is(code, 0);
  const [before, after] = [said.before, said.after] as Record<string, number>[];
  t.is(after?.threads, before?.threads);
  t.true((after?.descriptors ?? 99) <= (before?.descriptors ?? 0) + 1);
});
