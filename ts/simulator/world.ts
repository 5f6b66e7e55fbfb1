/** The main-gateway side: guilds, users, voice states, and the two events that lead to the voice gateway. */

import type { FaultControls } from "./faults.ts";
import { SimGuild, type VoiceState } from "./guild.ts";
import { type Dispatch, SimMainGateway } from "./main-gateway.ts";
import type { SeededRandom } from "./random.ts";

const TOKEN_BYTES = 8;
const SESSION_ID_BYTES = 16;

/** What a world needs from the simulator around it. */
export interface WorldHost {
  readonly random: SeededRandom;
  readonly faults: FaultControls;
  /** The endpoint that new guilds get. */
  endpoint(): string;
  /** A user left, moved or lost its session: the voice session there has to end. */
  dismiss(guildId: string, userId: string, code: number, reason: string): void;
}

/** All guilds and users. */
export class World {
  readonly #host: WorldHost;
  readonly #guilds = new Map<string, SimGuild>();
  /** Main-gateway session ids by user. */
  readonly #sessionIds = new Map<string, string>();
  readonly #gateways = new Set<SimMainGateway>();
  #isClosed = false;

  constructor(host: WorldHost) {
    this.#host = host;
  }

  /** The guild with an id; it exists from the first mention on. */
  guild(guildId: string): SimGuild {
    const known = this.#guilds.get(guildId);
    if (known) return known;
    const guild = new SimGuild(this, guildId, this.#host.endpoint());
    this.#guilds.set(guildId, guild);
    return guild;
  }

  /** A new main-gateway connection of a user. */
  connect(userId: string): SimMainGateway {
    const gateway = new SimMainGateway(this, userId);
    this.#gateways.add(gateway);
    return gateway;
  }

  /** The main-gateway session id of a user; the same for all guilds. */
  sessionId(userId: string): string {
    const known = this.#sessionIds.get(userId);
    if (known !== undefined) return known;
    const sessionId = this.#host.random.hex(SESSION_ID_BYTES);
    this.#sessionIds.set(userId, sessionId);
    return sessionId;
  }

  /** Whether credentials are good: the voice state, or the close code that refuses them. */
  authenticate(secrets: {
    serverId: string;
    userId: string;
    sessionId: string;
    token: string;
  }): VoiceState | { code: number; reason: string } {
    const guild = this.#guilds.get(secrets.serverId);
    if (!guild) return { code: 4011, reason: "Server not found." };
    const state = guild.states.get(secrets.userId);
    if (!state || this.#sessionIds.get(secrets.userId) !== secrets.sessionId) {
      return { code: 4006, reason: "Session is no longer valid." };
    }
    const isGood = state.token === secrets.token;
    return isGood ? state : { code: 4004, reason: "Authentication failed." };
  }

  /** Takes the `d` of an op 4; false when it is malformed. */
  updateVoiceState(userId: string, d: unknown): boolean {
    if (typeof d !== "object" || d === null) return false;
    const { guild_id, channel_id, self_mute, self_deaf } = d as Record<string, unknown>;
    if (typeof guild_id !== "string") return false;
    const guild = this.guild(guild_id);
    if (channel_id === null) {
      this.leave(guild, userId);
      return true;
    }
    if (typeof channel_id !== "string") return false;
    if (this.#host.faults.joinsIgnored) return true;
    this.enter(guild, userId, channel_id, {
      selfMute: self_mute === true,
      selfDeaf: self_deaf === true,
    });
    return true;
  }

  /** Joins or moves. Where nothing changes there is no event; a full channel gives none either. */
  enter(
    guild: SimGuild,
    userId: string,
    channelId: string,
    flags: Partial<VoiceState>,
  ): VoiceState | undefined {
    const before = guild.states.get(userId);
    if (before?.channelId === channelId) {
      const isSame = Object.entries(flags).every(
        ([name, value]) => before[name as keyof VoiceState] === value,
      );
      Object.assign(before, flags);
      if (!isSame) this.announceState(guild, userId);
      return before;
    }
    if (guild.isFull(channelId)) return undefined;
    const token = this.#host.random.hex(TOKEN_BYTES);
    const moderation = { mute: false, deaf: false, suppress: false };
    const fresh = { selfMute: false, selfDeaf: false, ...moderation, ...before, ...flags };
    const state: VoiceState = { ...fresh, channelId, token };
    guild.states.set(userId, state);
    if (before) this.#dismiss(guild, userId, () => this.#announceJoin(guild, userId));
    else this.#announceJoin(guild, userId);
    return state;
  }

  /** Leaves: an event without a channel; the voice connection gets 4014. */
  leave(guild: SimGuild, userId: string): void {
    if (!guild.states.delete(userId)) return;
    this.#dismiss(guild, userId, () => this.announceState(guild, userId));
  }

  /** Gives a user a new main-gateway session; what hung on the old one ends. */
  reidentify(userId: string): void {
    this.#sessionIds.delete(userId);
    for (const guild of this.#guilds.values()) {
      if (!guild.states.delete(userId)) continue;
      this.#host.dismiss(guild.id, userId, 4006, "Session is no longer valid.");
    }
  }

  /** Takes a guild's voice server away. */
  loseEndpoint(guild: SimGuild): void {
    guild.endpoint = null;
    for (const userId of guild.states.keys()) this.#announceServer(guild, userId);
  }

  /** Gives a guild another voice server and its users new tokens. */
  moveServer(guild: SimGuild, endpoint: string): void {
    guild.endpoint = endpoint;
    this.renewTokens(guild);
  }

  /** Gives the users of a guild new tokens. */
  renewTokens(guild: SimGuild): void {
    for (const [userId, state] of guild.states) {
      state.token = this.#host.random.hex(TOKEN_BYTES);
      this.#announceServer(guild, userId);
    }
  }

  /** VOICE_STATE_UPDATE, which everybody in the guild gets. */
  announceState(guild: SimGuild, userId: string): void {
    const state = guild.states.get(userId);
    this.#dispatch(undefined, {
      t: "VOICE_STATE_UPDATE",
      d: {
        guild_id: guild.id,
        channel_id: state?.channelId ?? null,
        user_id: userId,
        session_id: this.sessionId(userId),
        deaf: state?.deaf ?? false,
        mute: state?.mute ?? false,
        self_deaf: state?.selfDeaf ?? false,
        self_mute: state?.selfMute ?? false,
        self_video: false,
        suppress: state?.suppress ?? false,
        request_to_speak_timestamp: null,
      },
    });
  }

  /** Emits nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#gateways.clear();
  }

  #announceJoin(guild: SimGuild, userId: string): void {
    const announcements = [
      () => this.announceState(guild, userId),
      () => this.#announceServer(guild, userId),
    ];
    if (this.#host.faults.serverEventFirst) announcements.reverse();
    for (const announce of announcements) announce();
  }

  #announceServer(guild: SimGuild, userId: string): void {
    const token = guild.states.get(userId)?.token ?? "";
    const d = { token, guild_id: guild.id, endpoint: guild.endpoint };
    this.#dispatch(userId, { t: "VOICE_SERVER_UPDATE", d });
  }

  #dismiss(guild: SimGuild, userId: string, announce: () => void): void {
    const dismiss = (): void => this.#host.dismiss(guild.id, userId, 4014, "Disconnected.");
    if (this.#host.faults.closesBeforeEvents) dismiss();
    announce();
    // Twice is harmless: the second finds no session.
    queueMicrotask(dismiss);
  }

  /** Delivers later, as a network would; to one user's connections or to all. */
  #dispatch(userId: string | undefined, dispatch: Dispatch): void {
    const times = this.#host.faults.eventsDoubled ? 2 : 1;
    queueMicrotask(() => {
      if (this.#isClosed) return;
      for (const gateway of [...this.#gateways]) {
        const isMeant = userId === undefined || gateway.userId === userId;
        for (let time = 0; isMeant && time < times; time++) gateway.deliver(dispatch);
      }
    });
  }
}
