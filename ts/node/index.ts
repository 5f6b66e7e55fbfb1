/** `cadenza/node`: the player node. */

export { PROTOCOL_VERSION } from "./client-session.ts";
export {
  CONFIG_KEYS,
  type ConfigKey,
  type NodeConfig,
  type NodeConfigInput,
  readConfigFile,
  readEnvironment,
  resolveConfig,
} from "./config.ts";
export type { Command, EventMessage, NodeEvent } from "./ops/protocol.ts";
export { type NodeParts, PlayerNode } from "./player-node.ts";
export type { Loaded, Opened, Resolver } from "./resolvers/resolver.ts";
export { decodeTrackId, encodeTrackId, type TrackDescription } from "./track-id.ts";
export type { CallPort, CallsPort, MakeCalls } from "./voice-port.ts";
