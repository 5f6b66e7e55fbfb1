/** The player node: an HTTP server whose WebSocket speaks the op protocol. */

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { CadenzaError } from "../support/errors.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import { authenticate, type Client } from "./auth.ts";
import { type NodeConfig, type NodeConfigInput, resolveConfig } from "./config.ts";
import { answer, NOT_FOUND, type Refusal, refuse } from "./http.ts";
import { NodeCore } from "./node-core.ts";
import type { Resolver } from "./resolvers/resolver.ts";
import { Sources } from "./sources.ts";
import type { MakeCalls } from "./voice-port.ts";

/** Longest message a client may send, in bytes; longer ones close with 1009. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** Where the op protocol is spoken. */
const PATHS = ["/v1/ws", "/"];
/** Where the dashboard's page gets what it shows. */
const DASHBOARD_PATH = "/v1/dashboard";
/** Milliseconds a client may take to send its request's headers. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Milliseconds that clients have to answer the last close frame. */
const CLOSE_GRACE_MS = 1000;

const SHUTTING_DOWN: Refusal = {
  status: 503,
  code: "shutting_down",
  message: "The node is on its way out.",
};

const TOO_MANY_ATTEMPTS: Refusal = {
  status: 429,
  code: "too_many_attempts",
  message: "This address sent too many wrong passwords; try again in a minute.",
};

/** Parts that can be replaced. */
export interface NodeParts {
  /** Default: a `VoiceManager` for each bot, on an engine of the node's own. */
  makeCalls?: MakeCalls;
  /** Default: silent. */
  logger?: Logger;
  /** Asked in their order, before those of the configuration. Default: none. */
  resolvers?: readonly Resolver[];
  /** Processors of the machine, for the measured load. Default: what the system says. */
  processors?: number;
}

/** A running node. */
export class PlayerNode implements AsyncDisposable {
  readonly #config: NodeConfig;
  readonly #core: NodeCore;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  readonly #logger: Logger;
  #closed: Promise<void> | undefined;

  private constructor(config: NodeConfig, core: NodeCore, logger: Logger) {
    this.#config = config;
    this.#core = core;
    this.#logger = logger;
    this.#server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS }, (request, response) => {
      void answer(request, response, core);
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
    const { logger = silentLogger, processors = availableParallelism() } = parts;
    const sources = await Sources.create(config.allowed_folders);
    const resolvers = parts.resolvers ?? [];
    const { makeCalls } = parts;
    const core = new NodeCore({ config, sources, logger, resolvers, processors, makeCalls });
    const node = new PlayerNode(config, core, logger);
    await node.#listen().catch(async (error: unknown) => {
      await core.close();
      throw error;
    });
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

  /**
   * Takes nothing new, tells every client, waits until nothing plays any more or `drain_timeout_s` is over, and
   * closes. Resolves when all is closed; a `close` in the meantime makes it short.
   */
  async drain(): Promise<void> {
    const deadlineMs = this.#config.drain_timeout_s * 1000;
    this.#logger.info({ deadlineMs, playing: this.#core.playing }, "the node drains");
    await this.#core.drain(deadlineMs);
    await this.close();
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
    await this.#core.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
      this.#server.closeAllConnections();
    }, CLOSE_GRACE_MS);
    await stopped;
    clearTimeout(timer);
  }

  #admit({ headers }: IncomingMessage, remote: string): Client | Refusal {
    const now = performance.now();
    if (this.#core.attempts.blocks(remote, now)) return TOO_MANY_ATTEMPTS;
    const client = authenticate(headers, this.#config.password);
    if ("status" in client && client.status === 401) this.#core.attempts.wrong(remote, now);
    return client;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => undefined);
    const [path = "/"] = (request.url ?? "/").split("?");
    const remote = request.socket.remoteAddress ?? "";
    if (path === DASHBOARD_PATH && this.#core.hasDashboard && !this.#closed) {
      return this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#core.dashboard.attach(webSocket, remote);
      });
    }
    if (!PATHS.includes(path)) return refuse(socket, NOT_FOUND);
    if (this.#closed) return refuse(socket, SHUTTING_DOWN);
    const client = this.#admit(request, remote);
    if ("status" in client) {
      this.#logger.warn({ code: client.code, remote }, "client refused");
      return refuse(socket, client);
    }
    const { userId, name } = client;
    if (!this.#core.takes(userId)) return refuse(socket, SHUTTING_DOWN);
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#logger.info({ userId, name, remote }, "client connected");
      this.#core.sessions.open(userId).attach(webSocket, client);
    });
  }
}
