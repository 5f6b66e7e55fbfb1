// `npm run bench`: prepares the checkout and everybody who is compared, then runs the benchmark. With `--calls` it
// only asks whether that many calls of cadenza keep their 50 packets a second.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureAddon, ensurePackages, root, run } from "./prepare.mjs";

const args = process.argv.slice(2);
const straight = args.some((arg) => arg.startsWith("--calls"));
ensurePackages();
ensureAddon();
if (!straight) {
  run("cargo", ["build", "--quiet", "--release", "-p", "cadenza-benchmark"]);
  // A peer that cannot be built here is left out of the run, and the report says so.
  attempt(process.execPath, [join(root, "__test__/peers/install.mjs")], root);
  attempt("cargo", ["build", "--quiet", "--release"], join(root, "benchmark/peers/songbird"));
  attempt("go", ["build", "-o", "disgo-sender", "."], join(root, "benchmark/peers/disgo"));
}
const tsx = import.meta.resolve("tsx");
const program = straight ? "benchmark/density.ts" : "benchmark/main.ts";
run(process.execPath, ["--import", tsx, join(root, program), ...args]);

function attempt(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  if (result.error) process.stderr.write(`${command} is not on this machine.\n`);
}
