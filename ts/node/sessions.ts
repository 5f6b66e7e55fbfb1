/** The sessions of all bots: those that take sockets, and those that are ending. */

import type { ClientSession } from "./client-session.ts";
import type { NodePlayer } from "./node-player.ts";

/** Makes a bot's session; `ending` is to be called once, when it begins to end. */
export type MakeSession = (userId: string, ending: (ended: Promise<void>) => void) => ClientSession;

/** Sessions by bot. Iterable over those that take sockets. */
export class Sessions implements Iterable<ClientSession> {
  readonly #make: MakeSession;
  readonly #byUser = new Map<string, ClientSession>();
  readonly #ending = new Set<Promise<void>>();

  constructor(make: MakeSession) {
    this.#make = make;
  }

  [Symbol.iterator](): Iterator<ClientSession> {
    return this.#byUser.values();
  }

  /** How many bots have one. */
  get size(): number {
    return this.#byUser.size;
  }

  /** How many bots are connected. */
  get connected(): number {
    return [...this].filter(({ connected }) => connected).length;
  }

  /** Players of all bots. */
  get playerCount(): number {
    return [...this].reduce((sum, { players }) => sum + players.size, 0);
  }

  /** Whether a bot has one. */
  has(userId: string): boolean {
    return this.#byUser.has(userId);
  }

  /** The players of all bots. */
  *players(): Generator<NodePlayer> {
    for (const session of this) yield* session.players;
  }

  /** A bot's session, made when there is none. */
  open(userId: string): ClientSession {
    const known = this.#byUser.get(userId);
    if (known) return known;
    const session = this.#make(userId, (ended) => {
      this.#byUser.delete(userId);
      this.#ending.add(ended);
      void ended.finally(() => this.#ending.delete(ended));
    });
    this.#byUser.set(userId, session);
    return session;
  }

  /** Ends them all. */
  async close(): Promise<void> {
    await Promise.all([...this].map((session) => session.close()));
    await Promise.all(this.#ending);
  }
}
