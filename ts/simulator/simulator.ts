/** The simulator as a whole: main gateway, voice gateway, media server, listeners and faults. */

import { CadenzaError } from "../support/errors.ts";
import { Core } from "./core.ts";
import type { DaveChannel } from "./dave/channel.ts";
import type { FaultControls } from "./faults.ts";
import type { SimGuild } from "./guild.ts";
import type { Listener, ListenerOptions } from "./listener.ts";
import type { SimMainGateway } from "./main-gateway.ts";
import type { MemberOptions, SimMember } from "./member.ts";
import { resolveOptions, type SimulatorOptions } from "./options.ts";
import type { Problem } from "./problems.ts";
import { type SessionInfo, sessionInfo } from "./session.ts";

/** What the two main-gateway events bring together. */
export interface SimCredentials {
  guildId: string;
  channelId: string;
  userId: string;
  sessionId: string;
  token: string;
  endpoint: string;
}

/** Datagrams that no session can be blamed for. */
export interface StrayDatagrams {
  unknown: number;
  discovery: number;
}

/** A stand-in for Discord's voice service on this machine. */
export class DiscordSimulator {
  readonly #core: Core;
  #closed: Promise<void> | undefined;

  private constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Starts a simulator.
   *
   * @throws CadenzaError `invalid_argument` for bad options; the system's error for an address in use.
   */
  static async start(options: SimulatorOptions = {}): Promise<DiscordSimulator> {
    return new DiscordSimulator(await Core.start(resolveOptions(options)));
  }

  /** What VOICE_SERVER_UPDATE carries at first: `host:port` with TLS, `ws://host:port` without. */
  get endpoint(): string {
    return this.#core.endpoint();
  }

  /** PEM of the certificate, with `tls`; give it to clients as their certificate authority. */
  get certificate(): string | undefined {
    return this.#core.certificate;
  }

  /** Faults on demand. */
  get faults(): FaultControls {
    return this.#core.faults;
  }

  /** What a faithful server would object to, in any channel and before any; the first 1,000. */
  get problems(): readonly Problem[] {
    return this.#core.problems.list;
  }

  /** Counts of datagrams from nobody known. */
  get strays(): StrayDatagrams {
    return { ...this.#core.strays };
  }

  /** The guild with an id; it exists from the first mention on. */
  guild(guildId: string): SimGuild {
    return this.#core.world.guild(guildId);
  }

  /** A new main-gateway connection of a user. */
  mainGateway(userId: string): SimMainGateway {
    return this.#core.world.connect(userId);
  }

  /**
   * Brings a user into a channel without a main gateway and returns what the two events would carry.
   *
   * For the channel the user is in already, the present credentials.
   *
   * @throws CadenzaError `channel_full`, or `endpoint_lost` while the guild has no voice server.
   */
  admit(place: { guildId: string; channelId: string; userId: string }): SimCredentials {
    const { world } = this.#core;
    const guild = world.guild(place.guildId);
    const state = world.enter(guild, place.userId, place.channelId, {});
    if (!state) throw new CadenzaError("channel_full", "The channel takes nobody more.");
    const { endpoint } = guild;
    if (endpoint === null) {
      throw new CadenzaError("endpoint_lost", "The guild has no voice server at the moment.");
    }
    const { guildId, channelId, userId } = place;
    const sessionId = world.sessionId(userId);
    return { guildId, channelId, userId, sessionId, token: state.token, endpoint };
  }

  /**
   * A user played by the simulator, who can speak in the channel and hears the others there.
   *
   * @throws CadenzaError `channel_full`; `package_missing` in an encrypted channel without @snazzah/davey,
   * `dave_required` there with the option `dave: false`.
   */
  member(options: MemberOptions): SimMember {
    return this.#core.member(options);
  }

  /** End-to-end encryption in a channel: who is in its group, and what a test can set off there. */
  dave(place: { guildId: string; channelId: string }): DaveChannel {
    return this.#core.dave.room(place.guildId, place.channelId);
  }

  /** A listener that hears everybody in a channel, as the server does: what is end-to-end encrypted stays so. */
  listen(place: { guildId: string; channelId: string } & ListenerOptions): Listener {
    return this.#core.air.listen(place.guildId, place.channelId, place);
  }

  /** Voice sessions that are live or can be resumed. */
  sessions(): SessionInfo[] {
    return [...this.#core.sessions.all()].map(sessionInfo);
  }

  /** Stops everything and leaves no socket or timer. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#core.close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
