/** The two main-gateway events that voice needs, read from whatever a bot library hands over. */

/** The bot's own voice state in one guild. */
export interface OwnVoiceState {
  guildId: string;
  /** Null: not connected any more. */
  channelId: string | null;
  sessionId: string;
}

/** The voice server of one guild. */
export interface VoiceServer {
  guildId: string;
  token: string;
  /** Null while Discord looks for another. */
  endpoint: string | null;
}

/** Reads the `d` of a VOICE_STATE_UPDATE; undefined when it is malformed or another user's. */
export function parseVoiceState(d: unknown, userId: string): OwnVoiceState | undefined {
  const { guild_id, user_id, channel_id, session_id } = (d ?? {}) as Record<string, unknown>;
  if (typeof guild_id !== "string" || user_id !== userId || typeof session_id !== "string") {
    return undefined;
  }
  if (channel_id !== null && typeof channel_id !== "string") return undefined;
  return { guildId: guild_id, channelId: channel_id, sessionId: session_id };
}

/** Reads the `d` of a VOICE_SERVER_UPDATE; undefined when it is malformed. */
export function parseVoiceServer(d: unknown): VoiceServer | undefined {
  const { guild_id, token, endpoint } = (d ?? {}) as Record<string, unknown>;
  if (typeof guild_id !== "string" || typeof token !== "string") return undefined;
  if (endpoint !== null && typeof endpoint !== "string") return undefined;
  return { guildId: guild_id, token, endpoint };
}
