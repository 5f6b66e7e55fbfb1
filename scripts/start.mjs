// `npm start`: prepares the checkout, then plays a track through the node into the simulator.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensureAddon, ensurePackages, root } from "./prepare.mjs";

ensurePackages();
ensureAddon();
const main = join(root, "ts/cli/main.ts");
const demo = spawn(
  process.execPath,
  ["--import", import.meta.resolve("tsx"), main, "demo", ...process.argv.slice(2)],
  { stdio: "inherit", cwd: process.env.INIT_CWD ?? process.cwd() },
);
demo.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
