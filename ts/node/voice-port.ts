/** What the node needs of the voice library; `VoiceManager` and `VoiceConnection` fit, and so do fakes. */

import type { ConnectionEvents, VoiceConnection } from "../voice/connection.ts";

/** The part of a voice connection that a player uses. */
export interface CallPort
  extends Pick<
    VoiceConnection,
    "destroy" | "ping" | "player" | "provide" | "serverLost" | "stats" | "status"
  > {
  /** Adds a listener. */
  on<Name extends keyof ConnectionEvents & string>(
    name: Name,
    listener: (...args: ConnectionEvents[Name]) => void,
  ): unknown;
}

/** The calls of one bot. */
export interface CallsPort {
  /** The call of a guild, made when there is none. */
  connection(guildId: string): CallPort;
  /** Ends every call. */
  close(): Promise<void>;
}

/** Makes the calls of a bot. */
export type MakeCalls = (userId: string) => CallsPort;
