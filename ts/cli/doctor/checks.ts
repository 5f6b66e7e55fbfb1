/** What the facts about a machine mean for sound. */

import type { Measurement, SelfTestReport } from "../self-test/self-test.ts";
import { capacity } from "../self-test/self-test.ts";
import type { Facts } from "./facts.ts";

/** One finding. `fail` is what keeps cadenza from working, `warn` what keeps it from working well. */
export interface Finding {
  name: string;
  verdict: "ok" | "warn" | "fail" | "info";
  text: string;
}

/** As `engines` of package.json has it. */
const OLDEST_NODE = [20, 19] as const;
/** Sockets and files that a node needs besides those of its calls. */
const SPARE_FILES = 200;
/** Calls that a machine should be able to hold. */
const WANTED_CALLS = 1000;
/** Clock sources whose reading is a system call that takes a microsecond. */
const SLOW_CLOCKS = ["hpet", "acpi_pm", "pit", "jiffies"];
/** Milliseconds of lateness at which a listener may hear something. */
const AUDIBLE_MS = 20;

/** The findings that need no measurement. */
export function checkFacts(facts: Facts): Finding[] {
  return [checkNode(facts), checkCores(facts), checkAes(facts), ...checkLimits(facts)];
}

/** Whether the addon could be loaded. */
export function checkAddon(error: Error | undefined, { platform, arch }: Facts): Finding {
  return error
    ? { name: "addon", verdict: "fail", text: error.message }
    : { name: "addon", verdict: "ok", text: `the Rust core runs on ${platform} ${arch}` };
}

/** What the self-test showed. */
export function checkReport(report: SelfTestReport, cores: number): Finding[] {
  const { passthrough, transcoding } = report;
  const found: Finding[] = [];
  if (passthrough) {
    found.push(checkTiming(passthrough));
    const calls = capacity(passthrough, cores);
    found.push({
      name: "passthrough",
      verdict: "info",
      text: `about ${calls} calls that pass Opus through`,
    });
  }
  if (transcoding) {
    const calls = capacity(transcoding, cores);
    found.push({ name: "transcoding", verdict: "info", text: `about ${calls} calls that encode` });
  }
  return found;
}

function checkNode({ nodeVersion }: Facts): Finding {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  const [oldest, oldestMinor] = OLDEST_NODE;
  const good = major > oldest || (major === oldest && minor >= oldestMinor);
  const text = good
    ? `Node.js ${nodeVersion}`
    : `Node.js ${nodeVersion} is too old; take ${oldest}.${oldestMinor} or later`;
  return { name: "node", verdict: good ? "ok" : "fail", text };
}

function checkCores({ cores, coreLimit }: Facts): Finding {
  if (coreLimit === undefined) return { name: "cores", verdict: "ok", text: `${cores} cores` };
  const text = `${coreLimit.toFixed(2)} of ${cores} cores are allowed by the control group`;
  if (coreLimit >= 1) return { name: "cores", verdict: "ok", text };
  return {
    name: "cores",
    verdict: "warn",
    text: `${text}; when they are used up, all threads stand still for a while: allow 1 at least`,
  };
}

function checkAes({ aes }: Facts): Finding {
  if (aes === undefined)
    return { name: "aes", verdict: "info", text: "the system does not say whether there are any" };
  return aes
    ? { name: "aes", verdict: "ok", text: "the processor has AES instructions" }
    : {
        name: "aes",
        verdict: "warn",
        text: "no AES instructions: encryption costs more; XChaCha20 is the faster mode here",
      };
}

function checkLimits({ openFiles, realtimePriority, clockSource }: Facts): Finding[] {
  const found: Finding[] = [];
  if (openFiles !== undefined) {
    const calls = Math.max(0, Math.floor((openFiles - SPARE_FILES) / 2));
    const enough = calls >= WANTED_CALLS;
    const text = `${openFiles} open files: room for about ${calls} calls`;
    found.push({
      name: "files",
      verdict: enough ? "ok" : "warn",
      text: enough ? text : `${text}; raise it with ulimit -n or LimitNOFILE=`,
    });
  }
  if (realtimePriority !== undefined) {
    const text =
      realtimePriority > 0
        ? `real-time priority up to ${realtimePriority} may be asked for`
        : "no real-time priority (ulimit -r): not needed unless other programs keep the cores busy";
    found.push({ name: "scheduling", verdict: "info", text });
  }
  if (clockSource !== undefined) {
    const slow = SLOW_CLOCKS.includes(clockSource);
    const text = slow
      ? `the clock source ${clockSource} is slow to read: every packet costs more`
      : `clock source ${clockSource}`;
    found.push({ name: "clock", verdict: slow ? "warn" : "ok", text });
  }
  return found;
}

function checkTiming({ packets, late, p99Ms, maxMs, calls }: Measurement): Finding {
  const measured = `${calls} calls: p99 ${p99Ms.toFixed(2)} ms late, max ${maxMs.toFixed(2)} ms`;
  if (packets === 0) {
    return { name: "timing", verdict: "fail", text: "no packet left: UDP does not work here" };
  }
  if (p99Ms < AUDIBLE_MS && late / packets < 0.001) {
    return { name: "timing", verdict: "ok", text: measured };
  }
  const text = `${measured}; other programs, or the machine below this one, take the processor`;
  return { name: "timing", verdict: "warn", text };
}
