// Installs the voice clients that the peer tests run against the simulator, when they are missing or old.

import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
if (changedMs("package-lock.json") > changedMs("node_modules/.package-lock.json")) {
  process.stderr.write("Installing other voice clients for the peer tests…\n");
  const install = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", 2, 2],
  });
  process.exit(install.status ?? 1);
}

/** When a file was written; 0 when it does not exist. */
function changedMs(file) {
  return statSync(join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
