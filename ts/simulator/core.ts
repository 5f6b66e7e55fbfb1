/** Joins the parts of a simulator: who tells whom what. */

import { isIPv4 } from "node:net";
import { VoiceOpcode } from "../gateway/opcodes.ts";
import { CadenzaError } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import { Air, type AirHost } from "./air.ts";
import { AudioGate } from "./audio-gate.ts";
import { createCertificate } from "./certificate.ts";
import type { Mode } from "./crypto.ts";
import { loadDavey } from "./dave/davey.ts";
import { DaveRooms } from "./dave/rooms.ts";
import { Descriptions } from "./descriptions.ts";
import { Downlink, type DownlinkHost } from "./downlink.ts";
import { type FaultActions, FaultControls, type FaultTarget } from "./faults.ts";
import { type GatewayHost, GatewayServer } from "./gateway-server.ts";
import type { SimGuild } from "./guild.ts";
import type { Listener } from "./listener.ts";
import { type AudioPacket, MediaServer, type StrayCounts } from "./media-server.ts";
import { type MemberHost, type MemberOptions, SimMember } from "./member.ts";
import type { ResolvedOptions } from "./options.ts";
import { ProblemLog } from "./problems.ts";
import { SeededRandom } from "./random.ts";
import type { SessionLink, VoiceSession } from "./session.ts";
import { Sessions } from "./sessions.ts";
import { World, type WorldHost } from "./world.ts";

/** Endpoints between which moves alternate. */
const ENDPOINTS = 2;
/** Simulated users that are given no id count on from here. */
const FIRST_MEMBER_ID = 880_000_000_000_000_000n;

/** Everything behind a simulator's public face. */
export class Core implements GatewayHost, WorldHost, AirHost, DownlinkHost, MemberHost {
  readonly random: SeededRandom;
  readonly faults: FaultControls;
  readonly problems = new ProblemLog();
  readonly sessions: Sessions;
  readonly world: World;
  readonly certificate: string | undefined;
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  readonly #descriptions: Descriptions;
  readonly #tls: { key: string; cert: string } | undefined;
  readonly #gateways: GatewayServer[] = [];
  readonly #gate = new AudioGate((session, packet) => this.air.hear(session, packet));
  readonly air: Air;
  readonly dave: DaveRooms;
  readonly downlink: Downlink;
  #media: MediaServer | undefined;
  #nextMember = 0;
  #isClosed = false;

  private constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#tls = options.tls ? createCertificate(options.host) : undefined;
    this.certificate = this.#tls?.cert;
    this.random = new SeededRandom(options.seed);
    const actions: FaultActions = {
      sessions: (target) => this.#targets(target),
      close: (session, code, keep) => this.#closeSession(session, code, keep),
      datagram: (session, datagram, source) => this.downlink.raw(session, datagram, source),
      rtcp: (session, isBroken) =>
        this.downlink.rtcp(session, { ssrc: session.seed.ssrc, isBroken }),
      rekey: (session) => {
        if (session.media) this.#descriptions.send(session, session.media.mode);
      },
      loseEndpoint: (guildId) => this.world.loseEndpoint(this.world.guild(guildId)),
      reidentify: (userId) => this.world.reidentify(userId),
      renewTokens: (guildId) => this.world.renewTokens(this.world.guild(guildId)),
      moveServer: (guildId, closeCode) => this.#moveServer(guildId, closeCode),
    };
    this.faults = new FaultControls(actions, new SeededRandom(options.seed + 1));
    this.downlink = new Downlink(this, new SeededRandom(options.seed + 2));
    const firstSsrc = 1000 + this.random.below(9000);
    this.sessions = new Sessions(
      firstSsrc,
      {
        first: () => this.faults.firstSequence,
        isLeftOut: () => this.#isUnnumbered(),
      },
      (problem) => this.problems.add(problem),
    );
    this.world = new World(this);
    this.dave = new DaveRooms({
      random: new SeededRandom(options.seed + 3),
      settings: this.faults.dave,
      version: options.daveProtocolVersion,
      isRequired: options.daveRequired,
      isStage: (guildId, channelId) => this.world.guild(guildId).isStage(channelId),
    });
    this.#descriptions = new Descriptions(this.random, this.dave);
    this.sessions.onEnd = (session) => this.dave.leave(session);
    this.air = new Air(this);
    this.problems.watch((problem) => {
      this.#logger.warn({ ...problem }, "a client does what a faithful server objects to");
      this.air.object(problem);
    });
  }

  /** Binds the media server and the first endpoint. */
  static async start(options: ResolvedOptions): Promise<Core> {
    const core = new Core(options);
    const { host, port, udpPort } = options;
    core.#media = await MediaServer.start(
      { host, port: udpPort, isLenient: options.lenientDiscovery },
      core.sessions,
      core.faults,
      (session, packet) => core.#gate.packet(session, packet),
    );
    try {
      await core.#openEndpoint(port);
    } catch (error) {
      await core.close();
      throw error;
    }
    return core;
  }

  get heartbeatIntervalMs(): number {
    return this.#options.heartbeatIntervalMs;
  }

  get versions(): readonly number[] {
    return this.#options.versions;
  }

  get modes(): readonly Mode[] {
    return this.#options.modes;
  }

  get strays(): StrayCounts {
    return this.#media?.strays ?? { unknown: 0, discovery: 0 };
  }

  media(): { address: string; port: number } {
    return this.#media?.address ?? { address: this.#options.host, port: 0 };
  }

  endpoint(index = 0): string {
    const place = `${this.#options.host}:${this.#gateways[index]?.port ?? 0}`;
    return this.#tls ? place : `ws://${place}`;
  }

  authenticate(secrets: Parameters<GatewayHost["authenticate"]>[0]) {
    const state = this.world.authenticate(secrets);
    if ("code" in state) return state;
    const { serverId, daveVersion } = secrets;
    return this.dave.refusal(serverId, state.channelId, daveVersion) ?? state;
  }

  describe(session: VoiceSession, mode: Mode, remote: { address: string; port: number }): void {
    const isPlace = isIPv4(remote.address) && remote.port > 0 && remote.port < 65_536;
    if (isPlace) this.sessions.place(session, remote);
    this.#descriptions.send(session, mode);
    session.sendNumbered(VoiceOpcode.MediaSinkWants, { any: 100 });
    this.activity();
  }

  speaking(session: VoiceSession, flags: number): void {
    const isFirst = session.speaking === undefined;
    if (session.ear) session.speaking = flags;
    else this.#gate.speaking(session, flags);
    if (!isFirst) return;
    const { ssrc, userId } = session.seed;
    for (const other of this.sessions.neighbours(session)) {
      other.sendNumbered(VoiceOpcode.Speaking, { speaking: flags, ssrc, user_id: userId });
    }
  }

  expectResume(session: VoiceSession): void {
    if (this.#isClosed) return;
    clearTimeout(session.expiry);
    const end = (): void => this.#end(session, 4006);
    session.expiry = setTimeout(end, this.#options.resumeWindowMs);
    this.activity();
  }

  /** Brings a simulated user into a channel. */
  member(options: MemberOptions): SimMember {
    const guild = this.world.guild(options.guildId);
    const { guildId, channelId, dave = true } = options;
    const encrypts = this.dave.offers(guildId, channelId);
    if (encrypts && dave) loadDavey();
    if (this.dave.refusal(guildId, channelId, dave ? 1 : 0)) {
      throw new CadenzaError("dave_required", "The channel takes nobody without encryption.");
    }
    const userId = options.userId ?? `${FIRST_MEMBER_ID + BigInt(this.#nextMember++)}`;
    if (!this.world.enter(guild, userId, options.channelId, {})) {
      throw new CadenzaError("channel_full", "The channel takes nobody more.");
    }
    return new SimMember(this, guild, userId, options);
  }

  openMember(
    guild: SimGuild,
    userId: string,
    link: SessionLink,
    ear: Listener,
    daveVersion: number,
  ): VoiceSession | undefined {
    const state = guild.states.get(userId);
    const isRefused = state && this.dave.refusal(guild.id, state.channelId, daveVersion);
    if (this.#isClosed || !state || isRefused) {
      this.air.dismiss(ear);
      return undefined;
    }
    const { channelId, token } = state;
    const sessionId = this.world.sessionId(userId);
    const place = { guildId: guild.id, channelId, userId };
    const credentials = { sessionId, token, version: 8, daveVersion };
    const session = this.sessions.open({ ...place, ...credentials });
    session.link = link;
    session.ear = ear;
    this.air.admit(ear);
    this.sessions.introduce(session);
    const [mode] = this.modes;
    if (mode) this.#descriptions.send(session, mode);
    return session;
  }

  hear(session: VoiceSession, packet: AudioPacket): void {
    this.air.hear(session, packet);
  }

  leave(guild: SimGuild, userId: string): void {
    this.world.leave(guild, userId);
  }

  dismiss(guildId: string, userId: string, code: number, reason: string): void {
    const session = this.sessions.of(guildId, userId);
    if (session) this.#end(session, code, reason);
  }

  activity(): void {
    this.air.poke();
  }

  send(session: VoiceSession, datagram: Buffer): void {
    this.#media?.send(session, datagram);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.world.close();
    for (const session of [...this.sessions.all()]) this.#end(session, 1001, "Going away.");
    this.#gate.close();
    this.dave.close();
    await this.downlink.close();
    await Promise.all([...this.#gateways.map((server) => server.close()), this.#media?.close()]);
    this.air.close();
  }

  #isUnnumbered(): boolean {
    const { unnumberedShare } = this.faults;
    return unnumberedShare > 0 && this.random.chance(unnumberedShare);
  }

  #end(session: VoiceSession, code: number, reason?: string): void {
    this.#gate.forget(session);
    this.downlink.forget(session);
    this.sessions.end(session, code, reason);
    this.activity();
  }

  #closeSession(session: VoiceSession, code: number, keep: boolean): void {
    if (keep) session.link?.close(code);
    else this.#end(session, code, "");
  }

  *#targets(target: FaultTarget): Iterable<VoiceSession> {
    const guildId = typeof target === "string" ? target : target.guildId;
    for (const session of this.sessions.all()) {
      const isUser = typeof target === "string" || session.seed.userId === target.userId;
      const isClient = session.ear === undefined;
      if (isClient && session.seed.guildId === guildId && isUser) yield session;
    }
  }

  async #moveServer(guildId: string, closeCode: number | undefined): Promise<void> {
    const guild = this.world.guild(guildId);
    if (this.#gateways.length < ENDPOINTS) await this.#openEndpoint(0);
    const next = guild.endpoint === this.endpoint(1) ? 0 : 1;
    const sessions = [...this.#targets(guildId)];
    this.world.moveServer(guild, this.endpoint(next));
    for (const session of sessions) {
      if (closeCode !== undefined) this.#end(session, closeCode, "");
    }
  }

  async #openEndpoint(port: number): Promise<void> {
    const place = { host: this.#options.host, port, tls: this.#tls };
    this.#gateways.push(await GatewayServer.start(place, this));
  }
}
