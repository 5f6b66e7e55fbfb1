/** One player for many calls: what it plays is read, decoded and encoded once. */

import type { StreamLike } from "../native/stream.ts";
import type { EngineLike } from "../native/types.ts";
import type { VoiceConnection } from "./connection.ts";
import { Player } from "./player.ts";

/**
 * A player whose sound goes to every connection that was added, as it is at that moment: who comes late
 * hears what the others hear, and a connection that is down, paused or gone holds nobody up. It plays in
 * real time whether anybody listens or not. Create it with `VoiceManager.createSharedPlayer`.
 */
export class SharedPlayer {
  /** Whom each connection listens to: one shared player at a time. */
  static readonly #owners = new WeakMap<VoiceConnection, SharedPlayer>();
  /** What plays. Pausing, seeking, filters and volume concern all connections alike. */
  readonly player: Player;
  readonly #stream: StreamLike;
  /** Who listens, and how to stop minding its end. */
  readonly #listeners = new Map<VoiceConnection, () => void>();
  #closed = false;

  /** @internal */
  constructor(engine: EngineLike) {
    this.#stream = engine.createStream((event) => this.player.handle(event));
    this.player = new Player(this.#stream, (flags) => this.#speak(flags));
  }

  /** The connections that were added and not removed, nor destroyed, nor play something of their own. */
  get connections(): readonly VoiceConnection[] {
    return [...this.#listeners.keys()];
  }

  /**
   * Lets a connection play this; it ends what the connection's own player plays, and takes the connection from
   * another shared player. Whatever its own player plays later takes the call back, as {@link SharedPlayer.remove} does.
   */
  add(connection: VoiceConnection): void {
    if (this.#closed || this.#listeners.has(connection)) return;
    const before = SharedPlayer.#owners.get(connection);
    if (before) before.#forget(connection);
    SharedPlayer.#owners.set(connection, this);
    const { player } = connection;
    // Frames that JavaScript still gives would take their place back.
    player.stop();
    connection.subscribe(this.#stream);
    player.follow(this.player);
    const forget = (): void => void this.#forget(connection);
    const unmind = (): void => {
      connection.off("destroyed", forget);
      player.off("trackStart", forget);
      player.follow(undefined);
    };
    connection.on("destroyed", forget);
    // Its own player has taken the call back.
    player.on("trackStart", forget);
    this.#listeners.set(connection, unmind);
    if (this.player.playing && !this.player.paused) this.#speakOn(connection);
  }

  /** Lets a connection fall silent. Nothing happens when it was not added. */
  remove(connection: VoiceConnection): void {
    if (this.#forget(connection)) connection.subscribe(undefined);
  }

  /** Stops, and lets every connection fall silent. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const connection of this.connections) this.#forget(connection);
    this.player.stop();
    this.#stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Minds a connection no longer; tells whether it was minded. */
  #forget(connection: VoiceConnection): boolean {
    const unmind = this.#listeners.get(connection);
    if (!unmind) return false;
    this.#listeners.delete(connection);
    SharedPlayer.#owners.delete(connection);
    unmind();
    return true;
  }

  /** Connections say themselves when they have fallen silent. */
  #speak(flags: number): void {
    if (flags === 0) return;
    for (const connection of this.#listeners.keys()) this.#speakOn(connection);
  }

  #speakOn({ player, gateway }: VoiceConnection): void {
    if (!player.paused) gateway.setSpeaking(1);
  }
}
