/** Who is where: guilds, channels, voice states, and the credentials that lead into them. */

import { randomBytes } from "node:crypto";
import type { Listener } from "./listener.ts";

/** What the two main-gateway events bring together. */
export interface Credentials {
  guildId: string;
  channelId: string;
  userId: string;
  sessionId: string;
  token: string;
  endpoint: string;
}

/** A bot's or user's place. */
export interface Seat {
  guildId: string;
  channelId: string;
  userId: string;
  sessionId: string;
  token: string;
}

/** All seats and listeners. */
export class Rooms {
  /** By guild and user: one seat each. */
  readonly #seats = new Map<string, Seat>();
  readonly #listeners = new Map<string, Set<Listener>>();

  /** Gives a user a seat with fresh credentials; a former one in that guild is void. */
  sit(place: { guildId: string; channelId: string; userId: string; sessionId?: string }): Seat {
    const sessionId = place.sessionId ?? randomBytes(16).toString("hex");
    const seat = { ...place, sessionId, token: randomBytes(8).toString("hex") };
    this.#seats.set(`${place.guildId}/${place.userId}`, seat);
    return seat;
  }

  /** Takes the seat away. */
  leave(guildId: string, userId: string): Seat | undefined {
    const seat = this.#seats.get(`${guildId}/${userId}`);
    this.#seats.delete(`${guildId}/${userId}`);
    return seat;
  }

  /** The seat of a user in a guild. */
  seat(guildId: string, userId: string): Seat | undefined {
    return this.#seats.get(`${guildId}/${userId}`);
  }

  /** The seat that a Resume names: it carries no user id. */
  bySession(guildId: string, sessionId: string, token: string): Seat | undefined {
    for (const seat of this.#seats.values()) {
      if (seat.guildId === guildId && seat.sessionId === sessionId && seat.token === token)
        return seat;
    }
    return undefined;
  }

  /** Adds a listener to a channel. */
  listen(guildId: string, channelId: string, listener: Listener): void {
    const key = `${guildId}/${channelId}`;
    const present = this.#listeners.get(key);
    if (present) present.add(listener);
    else this.#listeners.set(key, new Set([listener]));
  }

  /** Who listens where this seat is. */
  listenersOf(seat: Seat): Iterable<Listener> {
    return this.#listeners.get(`${seat.guildId}/${seat.channelId}`) ?? [];
  }
}
