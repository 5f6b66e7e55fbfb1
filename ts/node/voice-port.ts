/** What the node needs of a voice connection; `VoiceConnection` fits, and so does a fake. */

import type { VoiceConnection } from "../voice/connection.ts";

/** The part of a connection that players use. */
export type CallPort = Pick<
  VoiceConnection,
  "destroy" | "off" | "on" | "ping" | "player" | "provide" | "serverLost" | "stats" | "status"
>;

/** Makes the call of a bot in a guild. */
export type CreateCall = (userId: string, guildId: string) => CallPort;
