/** Processor time of the engine's threads, as the system counts it. */

import { readdirSync, readFileSync } from "node:fs";

/** What threads whose names begin so do. */
const WORK: Readonly<Record<string, string>> = {
  "cadenza-decode": "decode",
  "cadenza-pacer": "send",
  "cadenza-io": "fetch",
};
const TASKS = "/proc/self/task";

/** Seconds by kind of work; empty where the system does not tell. Threads that have ended are not in it. */
export function threadSeconds(): Record<string, number> {
  const seconds: Record<string, number> = {};
  for (const thread of list()) {
    const name = read(`${TASKS}/${thread}/comm`);
    const [, work] = Object.entries(WORK).find(([begin]) => name.startsWith(begin)) ?? [];
    if (work === undefined) continue;
    const [nanoseconds] = read(`${TASKS}/${thread}/schedstat`).split(" ");
    seconds[work] = (seconds[work] ?? 0) + Number(nanoseconds) / 1e9;
  }
  return seconds;
}

function list(): string[] {
  try {
    return readdirSync(TASKS);
  } catch {
    return [];
  }
}

/** Empty for a thread that has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
