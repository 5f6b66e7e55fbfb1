/** What a bot gets from one Node timer, node:crypto and one dgram socket a call, with no gateway. */

import { plainNodeLoop } from "../plain-node.ts";
import { config, keyOf, loaded, readFrames, say } from "./common.mjs";

const frames = readFrames();
await loaded();
plainNodeLoop({ ports: config.ports, calls: config.calls, frames, keyOf });
say({ ready: true });
