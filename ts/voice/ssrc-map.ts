/** Which user each stream of a call belongs to, as the voice gateway tells. */

import { type ServerMessage, VoiceOpcode } from "../gateway/index.ts";

/** Streams that are remembered at most; a server that announces more makes the oldest forgotten. */
const MAX_STREAMS = 4096;
const MAX_SSRC = 0xffff_ffff;

/** Who else has to know; the native flow, where it receives. */
export interface SsrcSink {
  /** A stream was announced, or has another owner. */
  mapSsrc(ssrc: number, userId: string): void;
  /** A user left: every stream of theirs is void. */
  unmapUser(userId: string): void;
}

/** SSRC → user id. A user may own several SSRCs; all are forgotten when the user leaves. */
export class SsrcMap {
  readonly #users = new Map<number, string>();
  readonly #sink: SsrcSink | undefined;

  constructor(sink?: SsrcSink) {
    this.#sink = sink;
  }

  /** Whose stream it is; undefined when it was not announced. */
  userOf(ssrc: number): string | undefined {
    return this.#users.get(ssrc);
  }

  /** The streams of a user. */
  ssrcsOf(userId: string): number[] {
    return [...this.#users].flatMap(([ssrc, owner]) => (owner === userId ? [ssrc] : []));
  }

  /** Takes any message of the gateway; returns the user who left, if one did. */
  handle(message: ServerMessage): string | undefined {
    switch (message.kind) {
      case "speaking":
        this.#remember(message.ssrc, message.userId);
        return undefined;
      case "client_disconnect":
        for (const ssrc of this.ssrcsOf(message.userId)) this.#users.delete(ssrc);
        this.#sink?.unmapUser(message.userId);
        return message.userId;
      case "other":
        if (message.op === VoiceOpcode.Video) this.#onVideo(message.d);
        return undefined;
      default:
        return undefined;
    }
  }

  /** A new session numbers its streams anew. */
  clear(): void {
    for (const userId of new Set(this.#users.values())) this.#sink?.unmapUser(userId);
    this.#users.clear();
  }

  /** Video messages name the audio stream of a user, too; 0 where there is none. */
  #onVideo(d: unknown): void {
    const { audio_ssrc: ssrc, user_id: userId } = (d ?? {}) as Record<string, unknown>;
    if (typeof ssrc !== "number" || !Number.isInteger(ssrc) || typeof userId !== "string") return;
    if (ssrc <= 0 || ssrc > MAX_SSRC) return;
    this.#remember(ssrc, userId);
  }

  #remember(ssrc: number, userId: string): void {
    if (this.#users.get(ssrc) === userId) return;
    this.#users.set(ssrc, userId);
    this.#sink?.mapSsrc(ssrc, userId);
    const [oldest] = this.#users.keys();
    if (this.#users.size > MAX_STREAMS && oldest !== undefined) this.#users.delete(oldest);
  }
}
