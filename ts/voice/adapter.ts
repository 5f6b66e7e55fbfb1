/** How a bot library's main gateway feeds a voice connection: the adapter that discord.js calls `voiceAdapterCreator`. */

/** What cadenza gives to the bot library. */
export interface GatewayAdapterMethods {
  /** Takes the `d` of the guild's VOICE_SERVER_UPDATE. */
  onVoiceServerUpdate(data: unknown): void;
  /** Takes the `d` of the bot's own VOICE_STATE_UPDATE in the guild. */
  onVoiceStateUpdate(data: unknown): void;
  /** The bot library will feed this guild no more, as when its shard is gone: the connection is destroyed. */
  destroy(): void;
}

/** What the bot library gives in return. */
export interface GatewayAdapter {
  /** Sends a payload to the shard of the guild; false when it cannot. */
  sendPayload(payload: unknown): boolean;
  /** The connection needs the adapter no more. */
  destroy(): void;
}

/** Makes an adapter for one guild; `guild.voiceAdapterCreator` of discord.js fits unchanged. */
export type GatewayAdapterCreator = (methods: GatewayAdapterMethods) => GatewayAdapter;
