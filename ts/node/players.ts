/** The players of one bot, by guild. */

import type { PlayOptions } from "../voice/player.ts";
import type { Admission } from "./admission.ts";
import { NodePlayer } from "./node-player.ts";
import { OpError } from "./ops/fields.ts";
import type { LoadResult, NodeEvent, PlayerList } from "./ops/protocol.ts";
import type { Tracks } from "./tracks.ts";
import { Turns } from "./turns.ts";
import type { CallsPort } from "./voice-port.ts";

/** Queries of one bot that may be looked up at the same time. */
export const MAX_LOADING = 64;

/** What players are made of. */
export interface PlayersParts {
  userId: string;
  calls: CallsPort;
  tracks: Tracks;
  updateIntervalMs: number;
  maxPlayers: number;
  admission: Admission;
  /** For what has to be encoded. */
  encoder: NonNullable<PlayOptions["encoder"]>;
  tell: (event: NodeEvent) => void;
}

/** All players of a bot. Iterable. */
export class Players implements Iterable<NodePlayer> {
  readonly #parts: PlayersParts;
  readonly #byGuild = new Map<string, NodePlayer>();
  readonly #turns = new Turns();
  readonly #ended = new AbortController();
  #loading = 0;

  constructor(parts: PlayersParts) {
    this.#parts = parts;
  }

  /** How many there are. */
  get size(): number {
    return this.#byGuild.size;
  }

  [Symbol.iterator](): Iterator<NodePlayer> {
    return this.#byGuild.values();
  }

  /** Runs a job for a guild after those that came before it. */
  inTurn<T>(guildId: string, job: () => Promise<T>): Promise<T> {
    return this.#turns.run(guildId, job);
  }

  /** Takes pushed sound, after the ops that came before it. */
  take(guildId: string, sound: Buffer): Promise<void> {
    return this.#turns.soon(guildId, () => this.existing(guildId).take(sound));
  }

  /** A play in this guild that still looks its track up is not wanted any more. */
  interrupt(guildId: string): void {
    this.#byGuild.get(guildId)?.interrupt();
  }

  /** The player of a guild, made when there is none. */
  open(guildId: string): NodePlayer {
    const known = this.#byGuild.get(guildId);
    if (known) return known;
    const { calls, maxPlayers, admission, ...rest } = this.#parts;
    this.#ended.signal.throwIfAborted();
    if (this.#byGuild.size >= maxPlayers) {
      const message = `This node carries ${maxPlayers} players per bot at most (max_players).`;
      throw new OpError("too_many_players", message);
    }
    admission.player();
    const player = new NodePlayer({
      ...rest,
      guildId,
      call: calls.connection(guildId),
      admitTrack: (silentMs) => admission.track(silentMs),
    });
    this.#byGuild.set(guildId, player);
    return player;
  }

  /** The player of a guild. */
  existing(guildId: string): NodePlayer {
    const known = this.#byGuild.get(guildId);
    if (known) return known;
    const message = "There is no player in this guild; send voice_update or play first.";
    throw new OpError("no_player", message, "d.guild_id");
  }

  /** A page of the players, by guild id. */
  list(after: string | undefined, limit: number): PlayerList {
    const from = after === undefined ? 0n : BigInt(after);
    const ids = [...this.#byGuild.keys()].map(BigInt).filter((id) => id > from);
    ids.sort((a, b) => (a < b ? -1 : 1));
    const page = ids.slice(0, limit).map((id) => this.existing(String(id)).info());
    return { players: page, total: this.#byGuild.size, more: ids.length > limit };
  }

  /**
   * What a query leads to.
   *
   * @throws OpError `too_many_ops` while {@link MAX_LOADING} others are under way, and those of `Tracks.load`.
   */
  async load(query: string): Promise<LoadResult> {
    this.#ended.signal.throwIfAborted();
    if (this.#loading >= MAX_LOADING) {
      const message = `${MAX_LOADING} load_tracks of this bot are under way already.`;
      throw new OpError("too_many_ops", message);
    }
    this.#loading += 1;
    try {
      return await this.#parts.tracks.load(query, this.#ended.signal);
    } finally {
      this.#loading -= 1;
    }
  }

  /** Ends the player of a guild. */
  async destroy(guildId: string): Promise<void> {
    const player = this.existing(guildId);
    this.#byGuild.delete(guildId);
    await player.destroy();
  }

  /** Ends every player and call; no other can be made. Idempotent. */
  async close(): Promise<void> {
    this.#ended.abort(new OpError("shutting_down", "The session of this bot has ended."));
    const players = [...this.#byGuild.values()];
    this.#byGuild.clear();
    await Promise.all(players.map((player) => player.destroy()));
    await this.#parts.calls.close();
  }
}
