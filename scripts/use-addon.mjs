// Uses the addon of this machine for real: the demo, a track from the node to the simulator, heard bit for bit. Exit code 0
// when it was.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./prepare.mjs";

const demo = [
  join(root, "ts/cli/main.ts"),
  "demo",
  "--seconds",
  "3",
  "--mode",
  "aead_aes256_gcm_rtpsize",
];
const { status } = spawnSync(process.execPath, ["--import", import.meta.resolve("tsx"), ...demo], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
