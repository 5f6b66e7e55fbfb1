/** cadenza, the voice library: every public name. */

export { CLOSE_CODES, type CloseAction, type CloseCode } from "./gateway/close-codes.ts";
export { SpeakingFlags, VoiceOpcode } from "./gateway/opcodes.ts";
export type { GatewayStatus, Reason, VoiceCredentials } from "./gateway/state.ts";
export { Engine } from "./native/index.ts";
export type {
  EngineLike,
  EngineOptions,
  EngineStats,
  FlowStats,
  SourceSpec,
  TrackInfo,
  TransportMode,
} from "./native/types.ts";
export { CadenzaError } from "./support/errors.ts";
export type { Logger } from "./support/logger.ts";
export { type ConnectionEvents, VoiceConnection } from "./voice/connection.ts";
export {
  VoiceManager,
  type VoiceManagerOptions,
  type VoiceStateUpdatePayload,
} from "./voice/manager.ts";
export type { GatewayOptions } from "./voice/options.ts";
export {
  Player,
  type PlayerEvents,
  type PlayOptions,
  type TrackEndReason,
} from "./voice/player.ts";
