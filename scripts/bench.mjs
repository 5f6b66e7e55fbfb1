// `npm run bench`: prepares the checkout, then runs the density benchmark.

import { join } from "node:path";
import { ensureAddon, ensurePackages, root, run } from "./prepare.mjs";

ensurePackages();
ensureAddon();
const tsx = import.meta.resolve("tsx");
run(process.execPath, [
  "--import",
  tsx,
  join(root, "benchmark/density.ts"),
  ...process.argv.slice(2),
]);
