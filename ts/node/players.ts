/** The players of one bot, by guild. */

import { NodePlayer } from "./node-player.ts";
import { OpError } from "./ops/fields.ts";
import type { NodeEvent } from "./ops/protocol.ts";
import type { Sources } from "./sources.ts";
import type { CreateCall } from "./voice-port.ts";

/** What players are made of. */
export interface PlayersParts {
  userId: string;
  createCall: CreateCall;
  sources: Sources;
  updateIntervalMs: number;
  maxPlayers: number;
  tell: (event: NodeEvent) => void;
}

/** All players of a bot. */
export class Players {
  readonly #parts: PlayersParts;
  readonly #byGuild = new Map<string, NodePlayer>();

  constructor(parts: PlayersParts) {
    this.#parts = parts;
  }

  /** How many there are. */
  get size(): number {
    return this.#byGuild.size;
  }

  /** The player of a guild, made when there is none. */
  open(guildId: string): NodePlayer {
    const known = this.#byGuild.get(guildId);
    if (known) return known;
    const { createCall, maxPlayers, userId, ...rest } = this.#parts;
    if (this.#byGuild.size >= maxPlayers) {
      throw new OpError(
        "too_many_players",
        `This node carries ${maxPlayers} players per bot at most (max_players).`,
      );
    }
    const player = new NodePlayer({ ...rest, guildId, userId, call: createCall(userId, guildId) });
    this.#byGuild.set(guildId, player);
    return player;
  }

  /** The player of a guild. */
  existing(guildId: string): NodePlayer {
    const known = this.#byGuild.get(guildId);
    if (known) return known;
    throw new OpError(
      "no_player",
      "There is no player in this guild; send voice_update or play first.",
      "guild_id",
    );
  }

  /** Ends the player of a guild. */
  async destroy(guildId: string): Promise<void> {
    const player = this.existing(guildId);
    this.#byGuild.delete(guildId);
    await player.destroy();
  }

  /** Ends every player. */
  async destroyAll(): Promise<void> {
    const players = [...this.#byGuild.values()];
    this.#byGuild.clear();
    await Promise.all(players.map((player) => player.destroy()));
  }
}
