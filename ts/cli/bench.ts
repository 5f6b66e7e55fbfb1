/** `cadenza bench`: how many calls this machine carries, measured by playing into some. */

import { availableParallelism } from "node:os";
import { Command } from "commander";
import { CadenzaError } from "../support/errors.ts";
import { readNumber } from "./numbers.ts";
import { capacity, type Measurement, runSelfTest } from "./self-test/self-test.ts";

const HELP = `
Plays into so many calls at once over this machine's loopback, first Opus that is passed through, then sound that has to be
encoded, and prints what a call costs and how late its packets left. The capacity is an estimate that keeps 30 % in reserve;
loopback makes the system work for the receiver, too, so that a real network is cheaper.

Exit code 1 when more than 1 % of the packets were more than 20 ms late.

Examples:
  cadenza bench
  cadenza bench --calls 1000 --transcoding 0 --seconds 30
  cadenza bench --json > bench.json`;

interface Flags {
  calls: string;
  transcoding: string;
  seconds: string;
  json?: boolean;
}

const MAX_LATE_SHARE = 0.01;

/** The command. */
export function benchCommand(): Command {
  return new Command("bench")
    .description("Measure how many calls this machine carries.")
    .option("--calls <number>", "calls that pass Opus through", "300")
    .option("--transcoding <number>", "calls that encode", "20")
    .option("--seconds <number>", "seconds for each of the two", "5")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action(bench);
}

async function bench(flags: Flags): Promise<void> {
  const report = await runSelfTest({
    passthrough: Math.floor(readNumber("--calls", flags.calls, 0, 10_000)),
    transcoding: Math.floor(readNumber("--transcoding", flags.transcoding, 0, 10_000)),
    seconds: readNumber("--seconds", flags.seconds, 1, 600),
    onPhase: (what) => process.stderr.write(`${what}…\n`),
  });
  const kinds = Object.entries(report).filter(([, measured]) => measured !== undefined);
  const cores = availableParallelism();
  if (flags.json) process.stdout.write(`${JSON.stringify({ cores, ...report }, null, 2)}\n`);
  else for (const [kind, measured] of kinds) process.stdout.write(lines(kind, measured, cores));
  if (kinds.some(([, { packets, late }]) => packets === 0 || late / packets > MAX_LATE_SHARE)) {
    throw new CadenzaError("too_late", "More than 1 % of the packets left more than 20 ms late.");
  }
}

function lines(kind: string, measured: Measurement, cores: number): string {
  const { calls, packets, late, p50Ms, p99Ms, maxMs, cpuUsPerCallSecond } = measured;
  const share = packets === 0 ? "none" : `${((late / packets) * 100).toFixed(2)} %`;
  return [
    `${kind}: ${calls} calls, ${packets} packets`,
    `  late by more than 20 ms   ${share}`,
    `  lateness                  p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, max ${maxMs.toFixed(2)} ms`,
    `  processor per packet      ${(cpuUsPerCallSecond / 50).toFixed(1)} µs`,
    `  estimated capacity        ${capacity(measured, cores)} calls on ${cores} cores`,
    "",
  ].join("\n");
}
