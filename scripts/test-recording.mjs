// `npm run test:recording -- --minutes 10`: a recording over a bad link in real time, as long as what was sent.

import { join } from "node:path";
import { ensureAddon, ensurePackages, root, run } from "./prepare.mjs";

ensurePackages();
ensureAddon();
const program = join(root, "__test__/timing/record-minutes.ts");
run(process.execPath, ["--import", import.meta.resolve("tsx"), program, ...process.argv.slice(2)]);
