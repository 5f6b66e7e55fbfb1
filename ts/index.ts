/** cadenza, the voice library: every public name. */

export { CLOSE_CODES, type CloseAction, type CloseCode, closeCode } from "./gateway/close-codes.ts";
export * from "./gateway/constants.ts";
export type {
  DaveBinaryOpcode,
  DaveCommand,
  DaveReply,
  DaveServerMessage as GatewayDaveMessage,
} from "./gateway/dave.ts";
export {
  type ClientGatewayMessage,
  type GatewayMessage,
  parseGatewayMessage,
  serialiseGatewayMessage,
} from "./gateway/gateway-message.ts";
export type {
  CreateGateway,
  GatewayHost,
  GatewayLatency,
  GatewayLike,
  GatewayParts,
  VoiceGatewayEvents,
} from "./gateway/gateway-parts.ts";
export { GatewayMessageError, type ServerMessage } from "./gateway/messages.ts";
export { SpeakingFlags, VoiceOpcode } from "./gateway/opcodes.ts";
export type {
  GatewayStatus,
  MachineConfig,
  Reason,
  Timeouts,
  VoiceCredentials,
} from "./gateway/state.ts";
export type { TlsOptions } from "./gateway/tls.ts";
export { VoiceGateway } from "./gateway/voice-gateway.ts";
export type { AudioGroup, AudioPiece, PieceKind } from "./native/audio-batch.ts";
export type {
  DaveFlow,
  DaveFlowEvent,
  DaveMembers,
  DaveOptions,
  DaveServerMessage,
  DaveState,
  DaveStatus,
} from "./native/dave.ts";
export {
  type ChannelMixSettings,
  type DistortionSettings,
  type EqualizerBand,
  FilterError,
  type FilterSettings,
  type KaraokeSettings,
  type LowPassSettings,
  type ResolvedFilters,
  type RotationSettings,
  resolveFilters,
  type SwingSettings,
  type TimescaleSettings,
} from "./native/filters.ts";
export type {
  AudioBatch,
  AudioListener,
  AudioOutput,
  EncoderOptions,
  EncodingStats,
  FlowReceiver,
  FlowReceiverLike,
  PcmFormat,
  PcmSampleRate,
  PcmShape,
  PushingFlow,
  PushRequest,
  ReceiveEvent,
  ReceiveRequest,
  ReceiveStats,
  RecordedFile,
  RecordRequest,
  Stream,
  StreamLike,
  SubscribingFlow,
  UserReceiveStats,
} from "./native/index.ts";
export { Engine, type Flow, type TransportAddresses, type UdpAddress } from "./native/index.ts";
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
} from "./native/types.ts";
export { CadenzaError } from "./support/errors.ts";
export type { Logger } from "./support/logger.ts";
export type {
  GatewayAdapter,
  GatewayAdapterCreator,
  GatewayAdapterMethods,
} from "./voice/adapter.ts";
export type { AudioReceiver, CreateReceiver, ReceiverParts } from "./voice/audio-receiver.ts";
export {
  type AudioSender,
  type CreateSender,
  NativeAudioSender,
  type SenderParts,
  TimedAudioSender,
} from "./voice/audio-sender.ts";
export type { Bytes } from "./voice/byte-pump.ts";
export type { CallStatistics } from "./voice/call-statistics.ts";
export { type ConnectionEvents, VoiceConnection } from "./voice/connection.ts";
export type { VoiceSessionState } from "./voice/connection-state.ts";
export type { Encryption, EncryptionEvents, EncryptionState } from "./voice/encryption.ts";
export type { Factories, VoiceFlags } from "./voice/factories.ts";
export {
  type OpusFrameProvider,
  type OpusFrameReceiver,
  type OpusPacket,
  type ProvidedFrame,
  providerOf,
  type UserFilter,
} from "./voice/frames.ts";
export {
  type ConnectionOptions,
  VoiceManager,
  type VoiceManagerOptions,
  type VoiceStateUpdatePayload,
} from "./voice/manager.ts";
export type { GatewayOptions } from "./voice/options.ts";
export { OpusFrameSplitter, OpusReader, opusFrameReaderStream } from "./voice/opus-reader.ts";
export { OpusWriter, type OpusWriterOptions, opusFrameWriterStream } from "./voice/opus-writer.ts";
export {
  Player,
  type PlayerEvents,
  type PlayOptions,
  type TrackEndReason,
} from "./voice/player.ts";
export { PushedTrack, type PushOptions } from "./voice/pushed-track.ts";
export type { JoinOptions } from "./voice/ready.ts";
export { UserAudioStream, type UserStreamOptions } from "./voice/receive/audio-stream.ts";
export {
  OpusPacketReceiver,
  type OpusPacketReceiverParts,
} from "./voice/receive/opus-packet-receiver.ts";
export type {
  AudioFormat,
  Received,
  ReceivedPacket,
  ReceivedPcm,
} from "./voice/receive/received.ts";
export type { ReceivedStatistics } from "./voice/receive/received-statistics.ts";
export { Recording } from "./voice/receive/recording.ts";
export { AudioSubscription, type SubscribeOptions } from "./voice/receive/subscription.ts";
export {
  type AudioSink,
  type ReceiverEvents,
  type UserChoice,
  VoiceReceiver,
} from "./voice/receive/voice-receiver.ts";
export { SharedPlayer } from "./voice/shared-player.ts";
export type { AudioSource, FrameSource, StreamSource } from "./voice/sources.ts";
export {
  type CreateUdp,
  UdpConnection,
  type UdpLike,
  type UdpOpenOptions,
  type UdpParts,
  type UdpTarget,
} from "./voice/udp-connection.ts";
