/** What a voice connection tells, and what it is made of. */

import type {
  GatewayStatus,
  MachineConfig,
  Reason,
  ServerMessage,
  TlsOptions,
} from "../gateway/index.ts";
import type { EngineLike } from "../native/types.ts";
import type { Logger } from "../support/logger.ts";
import type { Factories, UpdateVoiceState } from "./factories.ts";

/** Events of a `VoiceConnection`: name → arguments. */
export type ConnectionEvents = {
  /** The connection entered a status, for a reason where there is one to tell; every `disconnected` has one. */
  stateChange: [status: GatewayStatus, reason: Reason | undefined];
  /** Messages about others, and those this version does not know, as they came. */
  peer: [message: ServerMessage];
  /** A heartbeat of the voice gateway was answered after so many milliseconds. */
  ping: [ms: number];
  /** The connection is gone for good; the manager makes a new one when it is asked. */
  destroyed: [];
};

/** What a connection is made of; given by the manager. */
export interface ConnectionParts {
  guildId: string;
  userId: string;
  engine: EngineLike;
  machine: MachineConfig;
  tls: TlsOptions;
  logger: Logger;
  /** Sends the main gateway's op 4; undefined where somebody else owns the main gateway. */
  updateVoiceState: UpdateVoiceState | undefined;
  /** The connection is destroyed. */
  forget: () => void;
  factories?: Factories | undefined;
}
