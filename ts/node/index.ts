/** `cadenza/node`: the player node. */

export {
  CONFIG_KEYS,
  type NodeConfig,
  type NodeConfigInput,
  readConfigFile,
  readEnvironment,
  resolveConfig,
} from "./config.ts";
export type { EventMessage, NodeEvent } from "./ops/protocol.ts";
export { type NodeParts, PlayerNode, PROTOCOL_VERSION } from "./player-node.ts";
export { decodeTrackId, encodeTrackId, type TrackDescription } from "./track-id.ts";
