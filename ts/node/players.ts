/** The players of one bot, by guild. */

import { NodePlayer } from "./node-player.ts";
import { OpError } from "./ops/fields.ts";
import type { NodeEvent } from "./ops/protocol.ts";
import type { Sources } from "./sources.ts";
import { Turns } from "./turns.ts";
import type { CallsPort } from "./voice-port.ts";

/** What players are made of. */
export interface PlayersParts {
  userId: string;
  calls: CallsPort;
  sources: Sources;
  updateIntervalMs: number;
  maxPlayers: number;
  tell: (event: NodeEvent) => void;
}

/** All players of a bot. Iterable. */
export class Players implements Iterable<NodePlayer> {
  readonly #parts: PlayersParts;
  readonly #byGuild = new Map<string, NodePlayer>();
  readonly #turns = new Turns();
  #closed = false;

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
  inTurn(guildId: string, job: () => Promise<void> | void): Promise<void> {
    return this.#turns.run(guildId, job);
  }

  /** The player of a guild, made when there is none. */
  open(guildId: string): NodePlayer {
    const known = this.#byGuild.get(guildId);
    if (known) return known;
    const { calls, maxPlayers, ...rest } = this.#parts;
    if (this.#closed) throw new OpError("shutting_down", "The session of this bot has ended.");
    if (this.#byGuild.size >= maxPlayers) {
      const message = `This node carries ${maxPlayers} players per bot at most (max_players).`;
      throw new OpError("too_many_players", message);
    }
    const player = new NodePlayer({ ...rest, guildId, call: calls.connection(guildId) });
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

  /** Ends the player of a guild. */
  async destroy(guildId: string): Promise<void> {
    const player = this.existing(guildId);
    this.#byGuild.delete(guildId);
    await player.destroy();
  }

  /** Ends every player and call; no other can be made. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const players = [...this.#byGuild.values()];
    this.#byGuild.clear();
    await Promise.all(players.map((player) => player.destroy()));
    await this.#parts.calls.close();
  }
}
