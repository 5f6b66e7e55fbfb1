/**
 * Hands the credentials of a voice channel over to a player node in another process, and lets it play.
 *
 * Shows which four values of the two main-gateway events a node needs, and when to send them again. Leaves out everything
 * else a client of the node does. Used with any gateway client that gives its raw dispatches.
 */

import type { WebSocket } from "ws";

/** What a dispatch of the main gateway looks like. */
interface Dispatch {
  t: string;
  d: { [field: string]: unknown };
}

/** One guild's way to a node. */
export class HandOver {
  readonly #node: WebSocket;
  readonly #place: { guildId: string; userId: string };
  #state: { channel_id: unknown; session_id: unknown } | undefined;
  #server: { token: unknown; endpoint: unknown } | undefined;

  /** @param node An open socket to `/v1/ws` of the node, with `Authorization` and `User-Id` set. */
  constructor(node: WebSocket, place: { guildId: string; userId: string }) {
    this.#node = node;
    this.#place = place;
  }

  /** Takes every dispatch. Each of the two events is passed on as soon as both are known, in any order. */
  handleDispatch({ t, d }: Dispatch): void {
    const { guildId, userId } = this.#place;
    if (d.guild_id !== guildId) return;
    if (t === "VOICE_STATE_UPDATE" && d.user_id === userId) {
      if (d.channel_id === null) return this.#left();
      this.#state = { channel_id: d.channel_id, session_id: d.session_id };
    } else if (t === "VOICE_SERVER_UPDATE") {
      this.#server = { token: d.token, endpoint: d.endpoint };
    } else {
      return;
    }
    if (this.#state && this.#server)
      this.#send("voice_update", { ...this.#state, ...this.#server });
  }

  /** Plays a URL. */
  play(url: string): void {
    const track = Buffer.from(JSON.stringify({ url })).toString("base64");
    this.#send("play", { track_id: track });
  }

  #left(): void {
    this.#state = undefined;
    this.#server = undefined;
    this.#send("destroy", {});
  }

  #send(op: string, d: object): void {
    this.#node.send(JSON.stringify({ op, d: { guild_id: this.#place.guildId, ...d } }));
  }
}
