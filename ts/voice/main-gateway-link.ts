/** How one connection reaches the main gateway: through an adapter, through the manager's `sendPayload`, or not at all. */

import type { Logger } from "../support/logger.ts";
import type { GatewayAdapter, GatewayAdapterCreator } from "./adapter.ts";
import type { UpdateVoiceState, VoiceFlags } from "./factories.ts";

/** The main gateway's op 4, as it goes to the shard of the guild. */
export interface VoiceStateUpdatePayload {
  op: 4;
  d: { guild_id: string; channel_id: string | null; self_mute: boolean; self_deaf: boolean };
}

/** What a link is made of. */
export interface LinkParts {
  guildId: string;
  logger: Logger;
  sendPayload: ((guildId: string, payload: VoiceStateUpdatePayload) => boolean) | undefined;
  adapterCreator: GatewayAdapterCreator | undefined;
  /** Takes the `d` of the two events, from an adapter. */
  voiceState(d: unknown): void;
  voiceServer(d: unknown): void;
  /** The adapter is gone. */
  destroy(): void;
}

/** One connection's way to the main gateway. What a bot library throws here is logged and taken for a refusal. */
export class MainGatewayLink {
  /** Sends op 4; undefined where nobody takes it. */
  readonly updateVoiceState: UpdateVoiceState | undefined;
  readonly #parts: LinkParts;
  readonly #adapter: GatewayAdapter | undefined;
  #destroyed = false;

  /** Calls the adapter's creator, and throws what that throws. */
  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#adapter = parts.adapterCreator?.({
      onVoiceStateUpdate: (data) => !this.#destroyed && parts.voiceState(data),
      onVoiceServerUpdate: (data) => !this.#destroyed && parts.voiceServer(data),
      destroy: () => !this.#destroyed && parts.destroy(),
    });
    const canAsk = this.#adapter !== undefined || parts.sendPayload !== undefined;
    this.updateVoiceState = canAsk ? (channelId, flags) => this.#send(channelId, flags) : undefined;
  }

  /** Tells the adapter that it is needed no more. Idempotent. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    try {
      this.#adapter?.destroy();
    } catch (error) {
      this.#warn(error, "the gateway adapter failed while it was destroyed");
    }
  }

  #send(channelId: string | null, { selfMute, selfDeaf }: VoiceFlags): boolean {
    const { guildId, sendPayload } = this.#parts;
    const d = {
      guild_id: guildId,
      channel_id: channelId,
      self_mute: selfMute,
      self_deaf: selfDeaf,
    };
    const payload: VoiceStateUpdatePayload = { op: 4, d };
    try {
      const adapter = this.#adapter;
      return (adapter ? adapter.sendPayload(payload) : sendPayload?.(guildId, payload)) !== false;
    } catch (error) {
      this.#warn(error, "the main gateway did not take a voice state update");
      return false;
    }
  }

  #warn(error: unknown, message: string): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#parts.logger.warn({ guildId: this.#parts.guildId, error: why }, message);
  }
}
