/** The only door to the Rust engine. */

export { Engine, Flow } from "./engine.ts";
export type { TransportAddresses, UdpAddress } from "./transport.ts";
export type {
  EngineLike,
  EngineOptions,
  EngineStats,
  FlowEvent,
  FlowLike,
  FlowStats,
  LatenessSummary,
  PacerStats,
  PlayRequest,
  SessionKeys,
  SourceSpec,
  TrackInfo,
  TransportMode,
  TransportTarget,
} from "./types.ts";
