// Installs the voice clients that the peer tests run against the simulator, once.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
if (!existsSync(join(folder, "node_modules/.package-lock.json"))) {
  process.stderr.write("Installing other voice clients for the peer tests…\n");
  const install = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", 2, 2],
  });
  process.exit(install.status ?? 1);
}
