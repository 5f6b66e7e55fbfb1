/** The player node: an HTTP server whose WebSocket speaks the op protocol. */

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { EngineLike } from "../native/types.ts";
import { CadenzaError } from "../support/errors.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import { createEngine } from "../voice/engine.ts";
import { VoiceManager } from "../voice/manager.ts";
import { authenticate, type Refusal } from "./auth.ts";
import { ClientSession } from "./client-session.ts";
import { type NodeConfig, type NodeConfigInput, resolveConfig } from "./config.ts";
import { Players } from "./players.ts";
import { Sources } from "./sources.ts";
import type { CreateCall } from "./voice-port.ts";

/** Version of the op protocol, told in `ready`. */
export const PROTOCOL_VERSION = "1";
/** Longest message a client may send, in bytes; longer ones close with 1009. */
const MAX_MESSAGE_BYTES = 64 * 1024;

/** Parts that tests replace. */
export interface NodeParts {
  createCall?: CreateCall;
  logger?: Logger;
}

/** A running node. */
export class PlayerNode {
  readonly #config: NodeConfig;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #sources: Sources;
  readonly #logger: Logger;
  readonly #sessions = new Map<string, ClientSession>();
  readonly #managers = new Map<string, VoiceManager>();
  readonly #createCall: CreateCall;
  #engine: EngineLike | undefined;
  #closed: Promise<void> | undefined;

  private constructor(config: NodeConfig, sources: Sources, parts: NodeParts) {
    this.#config = config;
    this.#sources = sources;
    this.#logger = parts.logger ?? silentLogger;
    this.#createCall =
      parts.createCall ?? ((userId, guildId) => this.#manager(userId).connection(guildId));
    this.#server = createServer((_request, response) => {
      response.writeHead(404, { "content-type": "application/json" });
      response.end(JSON.stringify({ code: "not_found", message: "The op protocol is at /v1/ws." }));
    });
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /**
   * Starts a node.
   *
   * @throws CadenzaError `bad_config`, or `listen_failed` when the address cannot be bound.
   */
  static async start(input: NodeConfigInput, parts: NodeParts = {}): Promise<PlayerNode> {
    const config = resolveConfig({ ...input });
    const node = new PlayerNode(config, await Sources.create(config.allowed_folders), parts);
    await node.#listen();
    return node;
  }

  /** The TCP port. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Where clients connect to. */
  get url(): string {
    return `ws://${this.#config.host}:${this.port}/v1/ws`;
  }

  /** Ends every player, tells every client, stops listening. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #listen(): Promise<void> {
    const { host, port } = this.#config;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause) => {
        reject(
          new CadenzaError(
            "listen_failed",
            `The node cannot listen on ${host}:${port}: ${cause.message}`,
            { cause },
          ),
        );
      });
      this.#server.listen(port, host, resolve);
    });
  }

  async #shutDown(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
    await Promise.all([...this.#managers.values()].map((manager) => manager.close()));
    await this.#engine?.close();
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    await stopped;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => undefined);
    const path = (request.url ?? "/").split("?")[0];
    if (path !== "/v1/ws" && path !== "/") {
      return refuse(socket, {
        status: 400,
        code: "not_found",
        message: "The op protocol is at /v1/ws.",
      });
    }
    const outcome = authenticate(request.headers, this.#config.password);
    if ("status" in outcome) {
      this.#logger.warn(
        { code: outcome.code, remote: request.socket.remoteAddress },
        "refused a client",
      );
      return refuse(socket, outcome);
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      this.#session(outcome.userId).attach(client, PROTOCOL_VERSION);
      this.#logger.info(
        { userId: outcome.userId, client: request.headers["client-name"] },
        "client connected",
      );
    });
  }

  #session(userId: string): ClientSession {
    const known = this.#sessions.get(userId);
    if (known) return known;
    const { player_update_interval_ms, max_players, resume_timeout_s } = this.#config;
    const parts = { userId, createCall: this.#createCall, sources: this.#sources };
    const limits = { updateIntervalMs: player_update_interval_ms, maxPlayers: max_players };
    const forget = (): void => void this.#sessions.delete(userId);
    const session = new ClientSession(
      (tell) => new Players({ ...parts, ...limits, tell }),
      resume_timeout_s * 1000,
      forget,
    );
    this.#sessions.set(userId, session);
    return session;
  }

  #manager(userId: string): VoiceManager {
    const known = this.#managers.get(userId);
    if (known) return known;
    this.#engine ??= createEngine({ allowPrivateHosts: this.#config.allow_private_hosts });
    const gateway = { insecureEndpoints: this.#config.insecure_voice_endpoints };
    const manager = new VoiceManager({
      userId,
      engine: this.#engine,
      gateway,
      logger: this.#logger,
    });
    this.#managers.set(userId, manager);
    return manager;
  }
}

function refuse(socket: Duplex, refusal: Refusal): void {
  const { status, code, message } = refusal;
  const body = JSON.stringify({ code, message });
  const reason = status === 401 ? "Unauthorized" : "Bad Request";
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${headers}\r\n\r\n${body}`);
}
