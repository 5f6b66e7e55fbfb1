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
import { authenticate, type Client, type Refusal } from "./auth.ts";
import { ClientSession } from "./client-session.ts";
import { type NodeConfig, type NodeConfigInput, resolveConfig } from "./config.ts";
import { Players } from "./players.ts";
import type { Resolver } from "./resolvers/resolver.ts";
import { Resolvers } from "./resolvers/resolvers.ts";
import { Sources } from "./sources.ts";
import { Tracks } from "./tracks.ts";
import type { MakeCalls } from "./voice-port.ts";

/** Longest message a client may send, in bytes; longer ones close with 1009. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** Where the op protocol is spoken. */
const PATHS = ["/v1/ws", "/"];
/** Milliseconds a client may take to send its request's headers. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Milliseconds that clients have to answer the last close frame. */
const CLOSE_GRACE_MS = 1000;

const NOT_FOUND: Refusal = {
  status: 404,
  code: "not_found",
  message: "There is nothing here but the op protocol: connect a WebSocket to /v1/ws.",
};
const SHUTTING_DOWN: Refusal = {
  status: 503,
  code: "shutting_down",
  message: "The node shuts down.",
};

/** Parts that can be replaced. */
export interface NodeParts {
  /** Default: a `VoiceManager` for each bot, on an engine of the node's own. */
  makeCalls?: MakeCalls;
  /** Default: silent. */
  logger?: Logger;
  /** Asked in their order, before those of the configuration. Default: none. */
  resolvers?: readonly Resolver[];
}

/** A running node. */
export class PlayerNode implements AsyncDisposable {
  readonly #config: NodeConfig;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  readonly #tracks: Tracks;
  readonly #logger: Logger;
  readonly #makeCalls: MakeCalls;
  /** The sessions that take sockets, by bot. */
  readonly #byUser = new Map<string, ClientSession>();
  /** Those that are ending. */
  readonly #ending = new Set<Promise<void>>();
  #engine: EngineLike | undefined;
  #closed: Promise<void> | undefined;

  private constructor(config: NodeConfig, sources: Sources, parts: NodeParts) {
    this.#config = config;
    this.#logger = parts.logger ?? silentLogger;
    const resolvers = new Resolvers({
      resolvers: parts.resolvers ?? [],
      timeoutMs: config.resolver_timeout_ms,
      logger: this.#logger,
    });
    this.#tracks = new Tracks(sources, resolvers);
    this.#makeCalls = parts.makeCalls ?? ((userId) => this.#manager(userId));
    this.#server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS }, (_request, response) => {
      const { status, code, message } = NOT_FOUND;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ code, message }));
    });
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

  /** The IP address that it listens on. */
  get address(): string {
    return this.#bound().address;
  }

  /** The TCP port. */
  get port(): number {
    return this.#bound().port;
  }

  /** Where clients connect to. */
  get url(): string {
    const { address, family, port } = this.#bound();
    return `ws://${family === "IPv6" ? `[${address}]` : address}:${port}${PATHS[0]}`;
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
      const failed = (cause: Error): void => {
        const message = `The node cannot listen on ${host}:${port}: ${cause.message}`;
        reject(new CadenzaError("listen_failed", message, { cause }));
      };
      this.#server.once("error", failed);
      this.#server.listen(port, host, () => {
        this.#server.off("error", failed);
        this.#server.on("error", ({ message }) => {
          this.#logger.error({ message }, "a connection could not be accepted");
        });
        resolve();
      });
    });
  }

  #bound(): AddressInfo {
    const address = this.#server.address();
    if (typeof address === "object" && address !== null) return address;
    throw new CadenzaError("node_closed", "The node has been closed.");
  }

  async #shutDown(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all([...this.#byUser.values()].map((session) => session.close()));
    await Promise.all(this.#ending);
    await this.#engine?.close();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
      this.#server.closeAllConnections();
    }, CLOSE_GRACE_MS);
    await stopped;
    clearTimeout(timer);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => undefined);
    const [path = "/"] = (request.url ?? "/").split("?");
    if (!PATHS.includes(path)) return refuse(socket, NOT_FOUND);
    if (this.#closed) return refuse(socket, SHUTTING_DOWN);
    const client = authenticate(request.headers, this.#config.password);
    const remote = request.socket.remoteAddress;
    if ("status" in client) {
      this.#logger.warn({ code: client.code, remote }, "client refused");
      return refuse(socket, client);
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { userId, name } = client;
      this.#logger.info({ userId, name, remote }, "client connected");
      this.#session(client).attach(webSocket, client);
    });
  }

  #session({ userId }: Client): ClientSession {
    const known = this.#byUser.get(userId);
    if (known) return known;
    const { player_update_interval_ms, max_players, resume_timeout_s } = this.#config;
    const limits = { updateIntervalMs: player_update_interval_ms, maxPlayers: max_players };
    const parts = { userId, tracks: this.#tracks, admit: () => undefined, ...limits };
    const session = new ClientSession({
      userId,
      makePlayers: (tell) => new Players({ ...parts, calls: this.#makeCalls(userId), tell }),
      resumeTimeoutMs: resume_timeout_s * 1000,
      logger: this.#logger,
      ending: (ended) => this.#onEnding(userId, ended),
    });
    this.#byUser.set(userId, session);
    return session;
  }

  #onEnding(userId: string, ended: Promise<void>): void {
    this.#byUser.delete(userId);
    this.#ending.add(ended);
    void ended.finally(() => this.#ending.delete(ended));
  }

  #manager(userId: string): VoiceManager {
    this.#engine ??= createEngine({ allowPrivateHosts: this.#config.allow_private_hosts });
    const gateway = { insecureEndpoints: this.#config.insecure_voice_endpoints };
    return new VoiceManager({ userId, engine: this.#engine, gateway, logger: this.#logger });
  }
}

const STATUS_TEXT = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  503: "Service Unavailable",
};

function refuse(socket: Duplex, { status, code, message }: Refusal): void {
  const body = JSON.stringify({ code, message });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
