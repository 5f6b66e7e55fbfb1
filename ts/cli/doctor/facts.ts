/** Reads what the system says about itself; what cannot be read is undefined. */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** What the checks look at. */
export interface Facts {
  platform: NodeJS.Platform;
  arch: string;
  nodeVersion: string;
  cores: number;
  /** Cores that the control group may use; undefined without a limit. */
  coreLimit: number | undefined;
  /** Whether the processor has AES instructions; undefined when it does not say. */
  aes: boolean | undefined;
  /** Files and sockets that a process may open. */
  openFiles: number | undefined;
  /** Highest real-time priority that a process may ask for; 0 is none. */
  realtimePriority: number | undefined;
  clockSource: string | undefined;
}

/** Reads them all. */
export function readFacts(): Facts {
  return {
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.versions.node,
    cores: availableParallelism(),
    coreLimit: parseCpuMax(read("/sys/fs/cgroup/cpu.max")),
    aes: parseAes(read("/proc/cpuinfo")),
    openFiles: parseLimit(read("/proc/self/limits"), "Max open files"),
    realtimePriority: parseLimit(read("/proc/self/limits"), "Max realtime priority"),
    clockSource: read("/sys/devices/system/clocksource/clocksource0/current_clocksource")?.trim(),
  };
}

/** Cores of a control group's `cpu.max`: a quota and a period in microseconds, or `max`. */
export function parseCpuMax(text: string | undefined): number | undefined {
  const [, quota, period] = /^(\d+) (\d+)/.exec(text ?? "") ?? [];
  return quota === undefined ? undefined : Number(quota) / Number(period);
}

/** Whether `/proc/cpuinfo` lists AES instructions: `flags` on x86, `Features` on ARM. */
export function parseAes(text: string | undefined): boolean | undefined {
  const [, flags] = /^(?:flags|Features)\s*:(.*)$/m.exec(text ?? "") ?? [];
  return flags === undefined ? undefined : / aes( |$)/.test(flags);
}

/** The soft limit of a row of `/proc/self/limits`. */
export function parseLimit(text: string | undefined, name: string): number | undefined {
  const row = text?.split("\n").find((line) => line.startsWith(name));
  const [soft] = row?.slice(name.length).trim().split(/\s+/) ?? [];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
