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

/** Events of a a `VoiceConnection`. */
export type ConnectionEvents = {
  stateChange: [status: GatewayStatus, reason: Reason | undefined];
  /** Messages about others, and those this version does not know, as they came. */
  peer: [message: ServerMessage];
  ping: [ms: number];
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
  forget: () => void;
  factories?: Factories | undefined;
}
