// `npm run test:timing`: the tests that measure real time; run alone, on a machine that does nothing else.

import { join } from "node:path";
import { ensureAddon, ensurePackages, root, run } from "./prepare.mjs";

ensurePackages();
ensureAddon();
const ava = join(root, "node_modules/ava/entrypoints/cli.mjs");
run(process.execPath, [ava, "--config", "ava.timing.config.js", "--serial"]);
