/** The voice gateway server: accepts sockets, keeps sessions, tells clients about each other. */

import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { VoiceOpcode } from "../gateway/opcodes.ts";
import { ClientSocket } from "./client-socket.ts";
import type { Faults } from "./faults.ts";
import type { MediaServer } from "./media.ts";
import type { Rooms, Seat } from "./rooms.ts";
import type { Session } from "./session.ts";

/** What the server is started with. */
export interface GatewayServerOptions {
  host: string;
  port: number;
  modes: readonly string[];
  versions: readonly number[];
  heartbeatIntervalMs: number;
  /** How long a session may be resumed after its socket was lost. */
  resumeWindowMs: number;
  tls: { key: string; cert: string } | undefined;
}

/** Largest frame a client may send; longer ones close with 1009. */
const MAX_PAYLOAD = 64 * 1024;

/** The voice gateway of a simulator. */
export class GatewayServer {
  readonly options: GatewayServerOptions;
  readonly rooms: Rooms;
  readonly faults: Faults;
  media!: MediaServer;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #clients = new Set<ClientSocket>();
  readonly #sessions = new Set<Session>();
  readonly #watch: NodeJS.Timeout;
  #ssrc = 7000;

  private constructor(options: GatewayServerOptions, rooms: Rooms, faults: Faults) {
    this.options = options;
    this.rooms = rooms;
    this.faults = faults;
    this.#http = options.tls ? createTlsServer(options.tls) : createServer();
    this.#sockets = new WebSocketServer({ server: this.#http, maxPayload: MAX_PAYLOAD });
    this.#sockets.on("connection", (socket, request) => this.#accept(socket, request.url ?? "/"));
    this.#watch = setInterval(() => this.#expire(), 100);
    this.#watch.unref();
  }

  /** Listens. */
  static start(
    options: GatewayServerOptions,
    rooms: Rooms,
    faults: Faults,
  ): Promise<GatewayServer> {
    const server = new GatewayServer(options, rooms, faults);
    return new Promise((resolve, reject) => {
      server.#http.once("error", reject);
      server.#http.listen(options.port, options.host, () => resolve(server));
    });
  }

  /** The TCP port. */
  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** Sessions that are live or can be resumed. */
  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  /** A new SSRC; small numbers, as in the field. */
  nextSsrc(): number {
    this.#ssrc += 3;
    return this.#ssrc;
  }

  /** The session that belongs to a seat. */
  sessionOf(seat: Seat): Session | undefined {
    return [...this.#sessions].find((session) => session.seat === seat);
  }

  /** A client has a session: it replaces any other of the same seat. */
  enter(client: ClientSocket): void {
    const { session } = client;
    if (!session) return;
    for (const other of [...this.#clients]) {
      if (
        other !== client &&
        other.session?.seat.userId === session.seat.userId &&
        other.session.seat.guildId === session.seat.guildId
      ) {
        other.close(4006, "Session is no longer valid.");
        this.#clients.delete(other);
      }
    }
    for (const other of [...this.#sessions]) {
      const isSameUser =
        other.seat.userId === session.seat.userId && other.seat.guildId === session.seat.guildId;
      if (other !== session && isSameUser) this.#sessions.delete(other);
    }
    this.#sessions.add(session);
  }

  /** A client's socket is gone; `forget` ends its session at once. */
  exit(client: ClientSocket, forget: boolean): void {
    this.#clients.delete(client);
    if (forget && client.session) this.#end(client.session);
  }

  /** Tells a newcomer about the others and the others about it. */
  introduce(client: ClientSocket): void {
    const others = this.#neighbours(client).map((other) => other.session?.seat.userId ?? "");
    client.sendNumbered(VoiceOpcode.ClientsConnect, { user_ids: others });
    for (const user_id of others) {
      client.sendNumbered(VoiceOpcode.ClientFlags, { user_id, flags: null });
      client.sendNumbered(VoiceOpcode.ClientPlatform, { user_id, platform: null });
    }
    for (const { session } of this.#neighbours(client)) {
      if (!session?.speaking) continue;
      const { speaking, ssrc, seat } = session;
      client.sendNumbered(VoiceOpcode.Speaking, { speaking, ssrc, user_id: seat.userId });
    }
    this.tellOthers(client, VoiceOpcode.ClientsConnect, {
      user_ids: [client.session?.seat.userId],
    });
  }

  /** Sends mode and key. */
  describe(client: ClientSocket): void {
    const { session } = client;
    if (!session) return;
    client.send(VoiceOpcode.SessionDescription, {
      mode: session.mode,
      secret_key: [...session.key],
      audio_codec: "opus",
      video_codec: "H264",
      media_session_id: "89f1d62f166b948746f7646713d39dbb",
      dave_protocol_version: 0,
    });
    client.sendNumbered(VoiceOpcode.MediaSinkWants, { any: 100 });
  }

  /** Sends a numbered message to everybody else in the channel. */
  tellOthers(client: ClientSocket, op: number, d: unknown): void {
    for (const other of this.#neighbours(client)) other.sendNumbered(op, d);
  }

  /** Records a problem with the listeners of a session's channel. */
  object(session: Session, code: string, message: string): void {
    for (const listener of this.rooms.listenersOf(session.seat)) {
      listener.object({ code, message, userId: session.seat.userId });
    }
  }

  /** Closes the sockets of a user in a guild. */
  disconnect(guildId: string, userId: string, code: number): void {
    for (const client of [...this.#clients]) {
      const seat = client.session?.seat;
      if (seat?.guildId === guildId && seat.userId === userId) client.close(code);
    }
  }

  /** Cuts every socket and stops listening. */
  close(): Promise<void> {
    clearInterval(this.#watch);
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    return new Promise((resolve) => this.#http.close(() => resolve()));
  }

  #accept(socket: WebSocket, url: string): void {
    const version = Number(new URL(url, "ws://simulator").searchParams.get("v"));
    if (!this.options.versions.includes(version)) {
      socket.close(4020, "Bad request.");
      return;
    }
    this.#clients.add(new ClientSocket(socket, this, version));
  }

  #neighbours(client: ClientSocket): ClientSocket[] {
    const seat = client.session?.seat;
    return [...this.#clients].filter((other) => {
      const place = other.session?.seat;
      return (
        other !== client && place?.guildId === seat?.guildId && place?.channelId === seat?.channelId
      );
    });
  }

  #expire(): void {
    const nowMs = performance.now();
    for (const client of this.#clients) client.checkHeart(nowMs);
    for (const session of this.#sessions) {
      const lost = session.lostAtMs;
      if (lost !== undefined && nowMs - lost > this.options.resumeWindowMs) this.#end(session);
    }
  }

  #end(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    for (const other of this.#clients) {
      const place = other.session?.seat;
      if (place?.guildId === session.seat.guildId && place.channelId === session.seat.channelId) {
        other.sendNumbered(VoiceOpcode.ClientDisconnect, { user_id: session.seat.userId });
      }
    }
  }
}
