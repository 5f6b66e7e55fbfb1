/** The main gateway's side of a connection: which channel, which session, which server, and asking for them. */

import type { VoiceCredentials } from "../gateway/index.ts";

/** So long a confirmation of a leave is waited for before the next join goes out, in milliseconds. */
const LEAVE_CONFIRMATION_MS = 3000;
/** A server that came longer ago than this belongs to an earlier voice state, in milliseconds. */
const SERVER_MATCH_MS = 5000;

/** What a membership tells its connection. */
export interface MembershipEvents {
  /** Voice state and voice server fit together. */
  credentials(credentials: VoiceCredentials): void;
  /** The bot was moved; the server for it is on its way. */
  awaiting(): void;
  /** The server vanished; another will be named. */
  serverLost(): void;
  /** The bot was disconnected by somebody else. */
  kicked(): void;
  /** The main gateway did not take a join that had to wait. */
  unavailable(): void;
}

/** Follows the bot's own voice state and voice server in one guild. */
export class Membership {
  readonly #ids: { guildId: string; userId: string };
  readonly #send: ((channelId: string | null) => boolean) | undefined;
  readonly #events: MembershipEvents;
  /** The channel that was asked for. */
  #channelId: string | undefined;
  /** What Discord last said; undefined before it has confirmed a join. */
  #stated: { channelId: string; sessionId: string } | undefined;
  #server: { token: string; endpoint: string; atMs: number } | undefined;
  /** Each change of the voice state comes with one server: whether that pair is complete. */
  #paired = true;
  /** Runs from a leave until Discord confirms it; a join waits for that. */
  #leaving: NodeJS.Timeout | undefined;
  #next: string | undefined;

  constructor(
    ids: { guildId: string; userId: string },
    send: ((channelId: string | null) => boolean) | undefined,
    events: MembershipEvents,
  ) {
    this.#ids = ids;
    this.#send = send;
    this.#events = events;
  }

  /** The channel the bot is in or on its way to. */
  get channelId(): string | undefined {
    return this.#channelId;
  }

  /** Whether the main gateway can be asked for anything. */
  get canAsk(): boolean {
    return this.#send !== undefined;
  }

  /** Asks for a channel; false when the main gateway does not take it. A leave under way is let finish first. */
  join(channelId: string): boolean {
    this.#channelId = channelId;
    if (this.#leaving === undefined) return this.#send?.(channelId) ?? false;
    this.#next = channelId;
    return true;
  }

  /** Leaves the channel. */
  leave(): void {
    this.#next = undefined;
    this.#forget();
    this.#askToLeave();
  }

  /** Asks for a new session: leaving first makes Discord name a server even for the same channel. */
  rejoin(): void {
    const channelId = this.#channelId;
    this.#server = undefined;
    if (channelId === undefined || !this.#send) return;
    this.#askToLeave();
    if (this.#leaving === undefined) this.#send(channelId);
    else this.#next = channelId;
  }

  /** Takes a channel that came with complete credentials. */
  provided(channelId: string | undefined): void {
    this.#channelId = channelId ?? this.#channelId;
  }

  /** Takes the bot's own voice state. */
  onVoiceState(channelId: string | null, sessionId: string): void {
    if (channelId === null) return this.#onLeft();
    const before = this.#stated;
    this.#channelId = channelId;
    this.#stated = { channelId, sessionId };
    if (before?.channelId === channelId && before.sessionId === sessionId) return;
    this.#pairServer();
    if (!this.#paired && before) this.#events.awaiting();
    this.#match();
  }

  /** Takes the voice server; null where Discord still looks for one. */
  onVoiceServer(token: string, endpoint: string | null): void {
    this.#server = undefined;
    if (endpoint === null) return this.#events.serverLost();
    // A server that completes no pair may be the first half of the next one: its time decides.
    this.#server = {
      token,
      endpoint,
      atMs: this.#paired ? performance.now() : Number.NEGATIVE_INFINITY,
    };
    this.#paired = true;
    this.#match();
  }

  /** Stops waiting for anything. */
  close(): void {
    clearTimeout(this.#leaving);
    this.#leaving = undefined;
    this.#next = undefined;
  }

  /** The two events of a move come in any order: a server that has just come is the new one, any other is spent. */
  #pairServer(): void {
    const fresh = this.#server && performance.now() - this.#server.atMs < SERVER_MATCH_MS;
    this.#paired = fresh === true;
    if (this.#server && fresh) this.#server.atMs = Number.NEGATIVE_INFINITY;
    else this.#server = undefined;
  }

  #match(): void {
    if (!this.#server || !this.#stated || this.#channelId === undefined) return;
    const { token, endpoint } = this.#server;
    this.#events.credentials({ ...this.#ids, ...this.#stated, token, endpoint });
  }

  #onLeft(): void {
    if (this.#leaving !== undefined) return this.#left();
    // Before Discord has confirmed the join, this is the end of an earlier stay.
    if (!this.#stated) return;
    this.#stated = undefined;
    this.#forget();
    this.#events.kicked();
  }

  /** Discord has confirmed the leave, or had time enough to: a join that waited goes out. */
  #left(): void {
    clearTimeout(this.#leaving);
    this.#leaving = undefined;
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined && !this.#send?.(next)) this.#events.unavailable();
  }

  #askToLeave(): void {
    const stayed = this.#stated !== undefined;
    this.#stated = undefined;
    if (!this.#send?.(null) || !stayed || this.#leaving !== undefined) return;
    this.#leaving = setTimeout(() => this.#left(), LEAVE_CONFIRMATION_MS);
    this.#leaving.unref();
  }

  #forget(): void {
    this.#channelId = undefined;
    this.#server = undefined;
  }
}
