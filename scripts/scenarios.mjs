// `npm run scenarios`: runs the table of scenarios of the voice library over the simulator and prints each with its outcome.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ensureAddon, ensurePackages, root } from "./prepare.mjs";

ensurePackages();
ensureAddon();
const ava = join(root, "node_modules/ava/entrypoints/cli.mjs");
const suite = spawn(process.execPath, [ava, "--tap", "__test__/scenarios"], {
  cwd: root,
  stdio: ["ignore", "pipe", "inherit"],
});
const totals = { passed: 0, failed: 0 };
const code = new Promise((resolve) => suite.on("close", resolve));
const beganMs = performance.now();
for await (const line of createInterface({ input: suite.stdout })) print(line);
const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
process.stdout.write(
  `\n${totals.passed} scenarios passed, ${totals.failed} failed, ${seconds} s\n`,
);
process.exit((await code) === 0 && totals.failed === 0 && totals.passed > 0 ? 0 : 1);

/** A scenario on one line; of a failure also what stands below it. */
function print(line) {
  const found = /^(not )?ok \d+ - (?:(.*?) › )?(.*)$/.exec(line);
  if (found) {
    const [, failed, group = "", name] = found;
    totals[failed ? "failed" : "passed"] += 1;
    process.stdout.write(`${failed ? "FAILED" : "ok    "}  ${group.padEnd(14)} ${name}\n`);
  } else if (/^\s/.test(line)) {
    process.stdout.write(`${line}\n`);
  }
}
