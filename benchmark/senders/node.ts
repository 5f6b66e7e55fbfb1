/** A player node, alone in its process as `cadenza serve` runs it; the harness is its client. */

import { dirname } from "node:path";
import { PlayerNode } from "../../ts/node/index.ts";
import { config, loaded, on, say } from "./common.mjs";

await loaded();
const node = await PlayerNode.start({
  port: 0,
  password: "correct horse battery",
  allowed_folders: [dirname(config.ogg)],
  insecure_voice_endpoints: config.certificate === "",
  opus_complexity: 5,
});
on("url", () => say({ url: node.url }));
say({ ready: true });
