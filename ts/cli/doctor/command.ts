/** `cadenza doctor`: what works on this machine, and how much of it. */

import { Command } from "commander";
import { Engine } from "../../native/index.ts";
import { CadenzaError } from "../../support/errors.ts";
import { readNumber } from "../numbers.ts";
import { runSelfTest } from "../self-test/self-test.ts";
import { painter, type Tone } from "../style.ts";
import { checkAddon, checkFacts, checkReport, type Finding } from "./checks.ts";
import { type Facts, readFacts } from "./facts.ts";

const HELP = `
Looks at Node.js, the Rust core, the processor, limits and the clock, then plays into some calls over loopback for a few
seconds and estimates how many this machine carries. Nothing leaves the machine.

  ✓ good   ! works, but could be better   ✗ does not work   · for your information

Exit code 1 when something does not work.

Examples:
  cadenza doctor
  cadenza doctor --seconds 0 --json`;

/** Calls of the self-test: enough to measure, few enough for the smallest machine. */
const CALLS = { passthrough: 100, transcoding: 8 };
const SIGNS: Record<Finding["verdict"], { sign: string; tone: Tone }> = {
  ok: { sign: "✓", tone: "good" },
  warn: { sign: "!", tone: "warn" },
  fail: { sign: "✗", tone: "bad" },
  info: { sign: "·", tone: "dim" },
};

interface Flags {
  seconds: string;
  json?: boolean;
}

/** The command. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("Check what works on this machine, and estimate how many calls it carries.")
    .option("--seconds <number>", "length of the self-test; 0 leaves it out", "5")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(doctor);
}

async function doctor(flags: Flags): Promise<void> {
  const seconds = readNumber("--seconds", flags.seconds, 0, 600);
  const paint = painter(process.stdout);
  const findings: Finding[] = [];
  const add = (...found: Finding[]): void => {
    findings.push(...found);
    if (flags.json) return;
    for (const { name, verdict, text } of found) {
      const { sign, tone } = SIGNS[verdict];
      process.stdout.write(`${paint(tone, sign)} ${name.padEnd(12)} ${text}\n`);
    }
  };
  const facts = readFacts();
  add(...checkFacts(facts));
  const addonError = await tryAddon();
  add(checkAddon(addonError, facts));
  if (!addonError && seconds > 0) add(...(await selfTest(facts, seconds)));
  if (flags.json) process.stdout.write(`${JSON.stringify({ facts, findings }, null, 2)}\n`);
  const failed = findings.filter(({ verdict }) => verdict === "fail");
  if (failed.length > 0) {
    const names = failed.map(({ name }) => name).join(", ");
    throw new CadenzaError("doctor_failed", `Something does not work here: ${names}.`);
  }
}

async function selfTest(facts: Facts, seconds: number): Promise<Finding[]> {
  const onPhase = (what: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`  ${what}…\n`);
  };
  try {
    const report = await runSelfTest({ ...CALLS, seconds: seconds / 2, onPhase });
    return checkReport(report, Math.min(facts.cores, facts.coreLimit ?? facts.cores));
  } catch (error) {
    return [{ name: "timing", verdict: "fail", text: (error as Error).message }];
  }
}

async function tryAddon(): Promise<Error | undefined> {
  try {
    await new Engine().close();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
