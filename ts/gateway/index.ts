/** The voice gateway: messages, close codes, the state machine and its socket. */

export { CLOSE_CODES, type CloseAction, type CloseCode, closeCode } from "./close-codes.ts";
export { checkCredentials } from "./credentials.ts";
export type { DaveBinaryOpcode, DaveCommand, DaveReply, DaveServerMessage } from "./dave.ts";
export type {
  CreateGateway,
  GatewayHost,
  GatewayLatency,
  GatewayLike,
  GatewayParts,
  VoiceGatewayEvents,
} from "./gateway-parts.ts";
export { step } from "./machine.ts";
export {
  type ClientMessage,
  GatewayMessageError,
  parseBinary,
  parseText,
  type ServerMessage,
} from "./messages.ts";
export { SpeakingFlags, VoiceOpcode } from "./opcodes.ts";
export { GatewaySocket } from "./socket.ts";
export {
  DEFAULT_MACHINE_CONFIG,
  type GatewayStatus,
  initialState,
  type MachineConfig,
  type MachineInput,
  type MachineOutput,
  type MachineState,
  type Reason,
  type Timeouts,
  type TimerName,
  type VoiceCredentials,
} from "./state.ts";
export type { TlsOptions } from "./tls.ts";
export { untilReady } from "./until-ready.ts";
export { VoiceGateway } from "./voice-gateway.ts";
