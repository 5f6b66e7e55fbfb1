/** Decides whether the node takes another player: those that play come before those that want to. */

import { OpError } from "./ops/fields.ts";

/** How long a player that was heard keeps its place, so that a queue goes on from track to track. */
const KEEPS_PLACE_MS = 60_000;

/** What is decided by. */
export interface AdmissionParts {
  maxPlayers: number;
  /** Share of the machine's load from 0 to 1 above which nothing new is taken; 1 never refuses. */
  maxLoad: number;
  /** Players of all bots. */
  players: () => number;
  /** The measured load, 0 to 1. */
  load: () => number;
}

/** The door of the node. */
export class Admission {
  readonly #parts: AdmissionParts;
  /** Whether the node is on its way out. */
  draining = false;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** @throws OpError `draining`, `node_full` or `node_overloaded` when the node takes no new player. */
  player(): void {
    this.#mustStay();
    const { players, maxPlayers } = this.#parts;
    if (players() >= maxPlayers) {
      const message = `This node carries ${maxPlayers} players at most (max_node_players).`;
      throw new OpError("node_full", message);
    }
    this.#mustBeAble();
  }

  /**
   * Before a track where nothing plays.
   *
   * @param silentMs For how long nothing has played there.
   * @throws OpError `draining` or `node_overloaded`.
   */
  track(silentMs: number): void {
    this.#mustStay();
    if (silentMs > KEEPS_PLACE_MS) this.#mustBeAble();
  }

  #mustStay(): void {
    if (!this.draining) return;
    const message = "The node is on its way out and takes nothing new; use another node.";
    throw new OpError("draining", message);
  }

  #mustBeAble(): void {
    const { load, maxLoad } = this.#parts;
    const percent = Math.round(load() * 100);
    if (load() <= maxLoad) return;
    const message = `This machine is at ${percent} % of what it carries; use another node, or try again later.`;
    throw new OpError("node_overloaded", message);
  }
}
