/** The simulator as a whole: one voice gateway, one media server, the rooms, the faults. */

import { createCertificate } from "./certificate.ts";
import { MODES } from "./crypto.ts";
import { Faults } from "./faults.ts";
import { GatewayServer } from "./gateway-server.ts";
import { Listener } from "./listener.ts";
import { SimMainGateway } from "./main-gateway.ts";
import { MediaServer } from "./media.ts";
import { type Credentials, Rooms, type Seat } from "./rooms.ts";
import type { Session } from "./session.ts";

/** Options of {@link DiscordSimulator.start}. */
export interface SimulatorOptions {
  /** Address to bind. Default 127.0.0.1. */
  host?: string;
  /** TCP port of the gateway. Default 0: any free one. */
  port?: number;
  /** UDP port of the media server. Default 0: any free one. */
  udpPort?: number;
  /** Speaks `wss` with a certificate made at the start, as clients that know no `ws` need. Default false. */
  tls?: boolean;
  /** Encryption modes offered in Ready. Default: all five. */
  modes?: readonly string[];
  /** Gateway versions accepted. Default 4 and 8. */
  gatewayVersions?: readonly number[];
  /** Default 13 750, as in the field. */
  heartbeatIntervalMs?: number;
  /** How long a lost session can be resumed. Default 60 000. */
  resumeWindowMs?: number;
}

/** A stand-in for Discord's voice service on this machine. */
export class DiscordSimulator {
  /** Faults on demand. */
  readonly faults: Faults;
  /** PEM of the certificate, with `tls`; give it to clients as their certificate authority. */
  readonly certificate: string | undefined;
  readonly #gateway: GatewayServer;
  readonly #media: MediaServer;
  readonly #rooms: Rooms;
  readonly #host: string;
  #closed: Promise<void> | undefined;

  private constructor(gateway: GatewayServer, media: MediaServer, host: string) {
    this.#gateway = gateway;
    this.#media = media;
    this.#rooms = gateway.rooms;
    this.faults = gateway.faults;
    this.certificate = gateway.options.tls?.cert;
    this.#host = host;
  }

  /** Starts a simulator. */
  static async start(options: SimulatorOptions = {}): Promise<DiscordSimulator> {
    const host = options.host ?? "127.0.0.1";
    const rooms = new Rooms();
    const faults = new Faults();
    const gateway = await GatewayServer.start(
      {
        host,
        port: options.port ?? 0,
        modes: options.modes ?? MODES,
        versions: options.gatewayVersions ?? [4, 8],
        heartbeatIntervalMs: options.heartbeatIntervalMs ?? 13_750,
        resumeWindowMs: options.resumeWindowMs ?? 60_000,
        tls: options.tls ? createCertificate(host) : undefined,
      },
      rooms,
      faults,
    );
    const media = await MediaServer.start(
      host,
      options.udpPort ?? 0,
      rooms,
      faults,
      () => gateway.sessions,
    );
    gateway.media = media;
    return new DiscordSimulator(gateway, media, host);
  }

  /** What VOICE_SERVER_UPDATE carries: `host:port` with TLS, `ws://host:port` without. */
  get endpoint(): string {
    const place = `${this.#host}:${this.#gateway.port}`;
    return this.certificate === undefined ? `ws://${place}` : place;
  }

  /** Sessions that are live or can be resumed. */
  get sessions(): readonly Session[] {
    return [...this.#gateway.sessions];
  }

  /** Datagrams that belonged to nobody. */
  get strangers(): number {
    return this.#media.strangers;
  }

  /** Gives a user a place in a channel and the credentials that lead there; former ones are void. */
  admit(place: { guildId: string; channelId: string; userId: string }): Credentials {
    const sessionId = this.#rooms.seat(place.guildId, place.userId)?.sessionId;
    const seat = this.#rooms.sit(sessionId === undefined ? place : { ...place, sessionId });
    return { ...seat, endpoint: this.endpoint };
  }

  /** Takes a user's place away and closes its connection with 4014. */
  expel(guildId: string, userId: string): Seat | undefined {
    this.#gateway.disconnect(guildId, userId, 4014);
    return this.#rooms.leave(guildId, userId);
  }

  /** Closes a user's connection with a code; 1006 cuts the TCP stream. */
  closeWith(guildId: string, userId: string, code: number): void {
    this.#gateway.disconnect(guildId, userId, code);
  }

  /** A bot's main gateway. */
  mainGateway(userId: string): SimMainGateway {
    return new SimMainGateway(this, userId);
  }

  /** A listener that hears everybody in a channel. */
  listen(place: { guildId: string; channelId: string }): Listener {
    const listener = new Listener();
    this.#rooms.listen(place.guildId, place.channelId, listener);
    return listener;
  }

  /** Stops everything. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= Promise.all([this.#gateway.close(), this.#media.close()]).then(
      () => undefined,
    );
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
