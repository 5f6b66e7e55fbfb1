/** What the system says about a process and about the machine: CPU time by thread, memory, other load. */

import { readdirSync, readFileSync } from "node:fs";

/** Kernel clock ticks per second in /proc/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const NS_PER_SECOND = 1e9;

/** CPU time of a process by the names of its threads, in nanoseconds; what has ended is not in it. */
export function threadTimes(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  for (const thread of tasks(pid)) {
    try {
      const name = readFileSync(`/proc/${pid}/task/${thread}/comm`, "latin1").trim();
      const [ran] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ");
      times.set(name, (times.get(name) ?? 0) + Number(ran));
    } catch {
      // The thread has ended since the folder was read.
    }
  }
  return times;
}

/** CPU time of all living threads of a process, in nanoseconds. */
export function cpuNs(pid: number): number {
  return [...threadTimes(pid).values()].reduce((sum, ns) => sum + ns, 0);
}

/** Resident memory of a process in bytes, shared pages included; 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** How many files a process may have open; undefined without a limit, or where the system does not say. */
export function openFiles(pid: number): number | undefined {
  try {
    const limits = readFileSync(`/proc/${pid}/limits`, "latin1");
    const found = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}

/** Time that all cores together have worked for anybody, and time a hypervisor took, in nanoseconds. */
export function machineTimes(): { busyNs: number; stolenNs: number } {
  const [line = ""] = readFileSync("/proc/stat", "latin1").split("\n");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const ns = NS_PER_SECOND / TICKS_PER_SECOND;
  return { busyNs: (user + nice + system + irq + softirq) * ns, stolenNs: steal * ns };
}

/** A stretch of time on this machine: what watched processes used of it, and what others did. */
export class Stretch {
  readonly #pids: readonly number[];
  readonly #began = process.hrtime.bigint();
  readonly #machine = machineTimes();
  readonly #before: Map<string, number>[];

  /** Begins now. The first of `pids` is the one of interest; this process belongs to the watched ones. */
  constructor(pids: readonly number[]) {
    this.#pids = [...pids, process.pid];
    this.#before = this.#pids.map(threadTimes);
  }

  /** What the first process used since the beginning, and the machine's load by others, in cores. */
  end(): {
    ns: number;
    cpuNs: number;
    threads: Record<string, number>;
    load: { othersCores: number; stolenCores: number };
  } {
    const ns = Number(process.hrtime.bigint() - this.#began);
    const machine = machineTimes();
    const used = this.#pids.map((pid, at) => difference(threadTimes(pid), this.#before[at]));
    const [own = {}] = used;
    const watched = used.reduce((sum, threads) => sum + total(threads), 0);
    const others = machine.busyNs - this.#machine.busyNs - watched;
    return {
      ns,
      cpuNs: total(own),
      threads: own,
      load: {
        othersCores: Math.max(0, others / ns),
        stolenCores: (machine.stolenNs - this.#machine.stolenNs) / ns,
      },
    };
  }
}

function difference(
  after: Map<string, number>,
  before: Map<string, number> | undefined,
): Record<string, number> {
  const entries = [...after].map(([name, ns]) => [name, ns - (before?.get(name) ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, ns]) => ns > 0));
}

function total(threads: Record<string, number>): number {
  return Object.values(threads).reduce((sum, ns) => sum + ns, 0);
}

function tasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
