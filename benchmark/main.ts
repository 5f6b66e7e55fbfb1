/** `npm run bench`: cadenza and its peers side by side, on a table, in JSON and as an HTML report. */

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { memory, shared, transcode } from "./experiments/cost.ts";
import { density } from "./experiments/density.ts";
import type { Context, Experiment, Section, Size } from "./experiments/experiment.ts";
import { blocked, lateness } from "./experiments/lateness.ts";
import { node } from "./experiments/node.ts";
import { scale } from "./experiments/scale.ts";
import { sealing } from "./experiments/seal.ts";
import { first, startup } from "./experiments/start.ts";
import { compileSenders } from "./harness/compiled.ts";
import { contenders } from "./harness/contenders.ts";
import { makeFixture } from "./harness/fixture.ts";
import { Stage } from "./harness/stage.ts";
import { htmlReport, type Run } from "./report/html.ts";
import { targets } from "./report/targets.ts";
import { terminalReport } from "./report/terminal.ts";

const EXPERIMENTS: readonly Experiment[] = [
  lateness,
  blocked,
  density,
  memory,
  transcode,
  shared,
  first,
  startup,
  sealing,
  scale,
  node,
];
/** What a quick run leaves out, because it takes minutes of its own. */
const NOT_QUICK = ["scale", "node"];

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    smoke: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    senders: { type: "string" },
    out: { type: "string", default: join(root, "benchmark/results") },
  },
});

await main();

async function main(): Promise<void> {
  const size: Size = values.smoke ? "smoke" : values.quick ? "quick" : "full";
  const chosen = choose(values.only, size);
  const { present, missing } = contenders(root);
  const wanted = values.senders?.split(",");
  const used = present.filter(({ name }) => wanted?.includes(name) ?? true);
  for (const { name, why } of missing) say(`${name} is left out: ${why}.`);
  const began = Date.now();
  compileSenders(root);
  const fixture = makeFixture(root, join(root, "benchmark/.work"));
  const stage = await Stage.open(root, fixture);
  const sections: Section[] = [];
  try {
    const context: Context = { root, size, stage, fixture, contenders: used, tell: say };
    for (const experiment of chosen) {
      say(`── ${experiment.name}`);
      sections.push(await experiment.run(context));
    }
  } finally {
    await stage.close();
  }
  const run: Run = {
    startedAt: new Date(began).toISOString(),
    minutes: (Date.now() - began) / 60_000,
    size,
    machine: machine(),
    commit: commit(),
    contenders: used,
    missing,
  };
  publish(run, sections);
}

function choose(only: readonly string[], size: Size): readonly Experiment[] {
  const unknown = only.find((name) => !EXPERIMENTS.some((experiment) => experiment.name === name));
  if (unknown !== undefined) {
    const known = EXPERIMENTS.map(({ name }) => name).join(", ");
    process.stderr.write(`There is no experiment ${unknown}; there are ${known}.\n`);
    process.exit(2);
  }
  if (only.length > 0) return EXPERIMENTS.filter(({ name }) => only.includes(name));
  return EXPERIMENTS.filter(({ name }) => size !== "quick" || !NOT_QUICK.includes(name));
}

function publish(run: Run, sections: readonly Section[]): void {
  const figures = Object.assign({}, ...sections.map((section) => section.figures));
  const reached = targets(figures);
  mkdirSync(values.out, { recursive: true });
  const stamp = run.startedAt.replaceAll(/[:.]/g, "-");
  const json = join(values.out, `${stamp}.json`);
  const html = join(values.out, `${stamp}.html`);
  const { contenders: used, ...about } = run;
  const settings = used.map(({ name, settings: text }) => ({ name, settings: text }));
  const everything = { ...about, senders: settings, targets: reached, sections };
  writeFileSync(json, JSON.stringify(everything, undefined, 1));
  writeFileSync(html, htmlReport(run, sections, reached));
  process.stdout.write(`${terminalReport(sections, reached, run.missing)}\n\n`);
  process.stdout.write(`${relative(process.cwd(), html)}\n${relative(process.cwd(), json)}\n`);
}

function machine(): Run["machine"] {
  return {
    cpu: cpus()[0]?.model ?? "unknown processor",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
  };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: root,
      encoding: "utf8",
    }).trim();
  } catch {
    return "unknown";
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
