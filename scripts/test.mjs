// `npm test`: runs every Rust and TypeScript test and prints `N passed, N failed` at the end.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensureAddon, ensurePackages, root, run } from "./prepare.mjs";

const totals = { passed: 0, failed: 0 };
ensurePackages();
ensureAddon();
run(process.execPath, [join(root, "__test__/peers/install.mjs")], { stdio: ["ignore", 2, 2] });
const rust = await watch("cargo", ["test", "--workspace", "--no-fail-fast"], countCargo);
// What other systems than Linux run, as far as Linux can run it: the core's other way to sleep, to wait and to listen.
const portable = await watch(
  "cargo",
  [
    ...["test", "-p", "cadenza-engine", "--features", "portable", "--no-fail-fast"],
    ...["--lib", "--test", "pacer", "--test", "receive"],
  ],
  countCargo,
);
const ava = join(root, "node_modules/ava/entrypoints/cli.mjs");
const node = await watch(process.execPath, [ava, ...process.argv.slice(2)], countAva);
// A suite that ends badly without naming a failed test (a build error, a crash) still counts as one.
for (const code of [rust, portable, node])
  if (code !== 0 && totals.failed === 0) totals.failed += 1;
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed\n`);
process.exit(totals.failed === 0 && rust === 0 && portable === 0 && node === 0 ? 0 : 1);

/** Runs a suite, shows its output and lets `count` read each line. */
function watch(command, args, count) {
  return new Promise((resolve) => {
    const suite = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
    });
    let rest = "";
    suite.stdout.on("data", (chunk) => {
      process.stdout.write(chunk);
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) count(line);
    });
    suite.on("error", () => resolve(1));
    suite.on("close", (code) => {
      count(rest);
      resolve(code ?? 1);
    });
  });
}

function countCargo(line) {
  const found = /^test result: \w+\. (\d+) passed; (\d+) failed/.exec(line);
  if (!found) return;
  totals.passed += Number(found[1]);
  totals.failed += Number(found[2]);
}

function countAva(line) {
  const found =
    /^\s*(\d+) (tests?|hooks?|unhandled rejections?|uncaught exceptions?) ?(passed|failed)?\s*$/.exec(
      line,
    );
  if (!found) return;
  if (found[3] === "passed") totals.passed += Number(found[1]);
  else totals.failed += Number(found[1]);
}
