/** The only door to the Rust engine. */

export { AudioBatch, type AudioGroup, type AudioPiece, type PieceKind } from "./audio-batch.ts";
export type {
  DaveFlow,
  DaveFlowEvent,
  DaveMembers,
  DaveOptions,
  DaveServerMessage,
  DaveState,
  DaveStatus,
} from "./dave.ts";
export { Engine } from "./engine.ts";
export type {
  ChannelMixSettings,
  DistortionSettings,
  EqualizerBand,
  FilterSettings,
  KaraokeSettings,
  LowPassSettings,
  ResolvedFilters,
  RotationSettings,
  SwingSettings,
  TimescaleSettings,
} from "./filters.ts";
export { FilterError, resolveFilters, resolveVolume } from "./filters.ts";
export { Flow, Stream } from "./flow.ts";
export type {
  EncoderOptions,
  EncodingStats,
  PcmShape,
  PushingFlow,
  PushRequest,
} from "./push.ts";
export {
  type AudioListener,
  type AudioOutput,
  FlowReceiver,
  type FlowReceiverLike,
  type PcmFormat,
  type PcmSampleRate,
  type ReceiveEvent,
  type ReceiveRequest,
  type ReceiveStats,
  type RecordedFile,
  type RecordRequest,
  type UserReceiveStats,
} from "./receive.ts";
export type { StreamLike, SubscribingFlow } from "./stream.ts";
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
  StreamMetadata,
  TrackInfo,
  TransportMode,
  TransportTarget,
} from "./types.ts";
