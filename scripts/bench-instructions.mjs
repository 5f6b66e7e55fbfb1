// `npm run bench:instructions`: counts instructions of the hot operations under callgrind and holds them to the
// committed budgets. With `--write` the budgets become what was counted, and a twentieth more.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail, root, run } from "./prepare.mjs";

/** Operation, what it is, and the two numbers of times whose difference is counted. */
const OPERATIONS = [
  ["seal", "sealing one packet of 240 bytes", 2_000, 12_000],
  ["open", "opening one packet of 240 bytes", 2_000, 12_000],
  ["tick", "one period of a pacer with 1,000 flows", 5, 25],
];
/** Room above what was counted: other processors take other paths through the cipher. */
const MARGIN = 1.05;

const target = "x86_64-unknown-linux-gnu";
const budgets = join(root, "benchmark/instructions.json");

ensureValgrind();
run("cargo", ["build", "--quiet", "--release", "--target", target, "-p", "cadenza-benchmark"]);
const program = join(root, "target", target, "release/instructions");
const counted = Object.fromEntries(
  OPERATIONS.map(([name, , few, many]) => {
    const each = (instructions(name, many) - instructions(name, few)) / (many - few);
    return [name, Math.round(each)];
  }),
);
if (process.argv.includes("--write")) {
  const limits = Object.entries(counted).map(([name, count]) => [name, Math.ceil(count * MARGIN)]);
  writeFileSync(budgets, `${JSON.stringify(Object.fromEntries(limits), undefined, 2)}\n`);
}
if (!existsSync(budgets)) fail("There are no budgets yet: run it once with `-- --write`.");
compare(JSON.parse(readFileSync(budgets, "utf8")));

function compare(limits) {
  let exceeded = 0;
  for (const [name, what] of OPERATIONS) {
    const within = counted[name] <= limits[name];
    exceeded += within ? 0 : 1;
    const sign = within ? "✓" : "✗";
    process.stdout.write(
      `${sign} ${name}: ${counted[name]} instructions of ${limits[name]} allowed (${what})\n`,
    );
  }
  process.stdout.write(`${OPERATIONS.length - exceeded} passed, ${exceeded} failed\n`);
  process.exit(exceeded === 0 ? 0 : 1);
}

/** All instructions of a run of the program. */
function instructions(operation, count) {
  const args = ["--tool=callgrind", "--callgrind-out-file=/dev/null", program, operation, count];
  const { status, stderr, error } = spawnSync("valgrind", args.map(String), { encoding: "utf8" });
  const collected = /Collected : (\d+)/.exec(stderr ?? "");
  if (error || status !== 0 || !collected) fail(`callgrind failed: ${stderr ?? error?.message}`);
  return Number(collected[1]);
}

/** Installs valgrind where that is permitted, as on a fresh machine of the pipeline. */
function ensureValgrind() {
  const found = () => spawnSync("valgrind", ["--version"], { stdio: "ignore" }).status === 0;
  if (found()) return;
  spawnSync("apt-get", ["update", "-qq"], { stdio: ["ignore", 2, 2] });
  spawnSync("apt-get", ["install", "-y", "-qq", "valgrind"], { stdio: ["ignore", 2, 2] });
  if (!found()) fail("Counting instructions needs valgrind (Debian: apt-get install valgrind).");
}
