// `npm run build`: compiles the TypeScript to dist/, as it is published. The addon is built by `npm run build:native`.

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensurePackages, root, run } from "./prepare.mjs";

ensurePackages();
const dist = join(root, "dist");
rmSync(dist, { recursive: true, force: true });
run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"]);
for (const file of ["binding.cjs", "binding.d.ts"]) {
  cpSync(join(root, "ts/native/generated", file), join(dist, "native/generated", file));
}
cpSync(join(root, "ts/node/dashboard/page"), join(dist, "node/dashboard/page"), {
  recursive: true,
});
