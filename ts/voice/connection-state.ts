/** Where a call stands, as one read-only value; it holds no secret. */

import type { GatewayStatus, Reason } from "../gateway/index.ts";

/** The state of a voice connection at one moment. */
export interface VoiceSessionState {
  readonly guildId: string;
  readonly userId: string;
  /** The channel the bot is in or on its way to; undefined in none. */
  readonly channelId: string | undefined;
  readonly status: GatewayStatus;
  /** Why it stands there, where there is something to say. */
  readonly reason: Reason | undefined;
  /** The bot's own stream in this session; 0 before the first Ready. */
  readonly ssrc: number;
  /** Speaking flags that hold, bits of `SpeakingFlags`. */
  readonly speaking: number;
  readonly selfMute: boolean;
  readonly selfDeaf: boolean;
}
