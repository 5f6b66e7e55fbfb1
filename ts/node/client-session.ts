/** One bot at the node: its players, its socket while it has one, and the time they outlive it. */

import type { WebSocket } from "ws";
import { CadenzaError } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import { CLOSE_REPLACED, ClientSocket } from "./client-socket.ts";
import { OpError } from "./ops/fields.ts";
import type { Failed, NodeEvent } from "./ops/protocol.ts";
import { type Envelope, readCommand } from "./ops/table.ts";
import type { Players } from "./players.ts";

/** Version of the op protocol, told in `ready`. */
export const PROTOCOL_VERSION = "1";

/** What a session is made of. */
export interface SessionParts {
  userId: string;
  makePlayers: (tell: (event: NodeEvent) => void) => Players;
  /** Milliseconds that players outlive their client's socket. */
  resumeTimeoutMs: number;
  logger: Logger;
  /** Called once, when the session begins to end and takes no other socket. */
  ending: (ended: Promise<void>) => void;
}

/** A bot's session. */
export class ClientSession {
  readonly #parts: SessionParts;
  readonly #players: Players;
  #socket: ClientSocket | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#players = parts.makePlayers((event) => this.#tell(event));
  }

  /** Takes a socket; a former one is closed. */
  attach(webSocket: WebSocket): void {
    clearTimeout(this.#expiry);
    this.#socket?.close(CLOSE_REPLACED, "Another connection of this bot took over.");
    const socket = new ClientSocket(webSocket, {
      message: (text, isBinary) => {
        if (this.#socket === socket) void this.#receive(text, isBinary);
      },
      closed: (code) => this.#onClosed(socket, code),
    });
    this.#socket = socket;
    const resumed = this.#players.size > 0;
    this.#tell({ type: "ready", version: PROTOCOL_VERSION, user_id: this.#parts.userId, resumed });
    for (const player of this.#players) player.update();
  }

  /** Ends players, then the socket. Idempotent. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = this.#end();
      this.#parts.ending(this.#closed);
    }
    return this.#closed;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#expiry);
    await this.#players.close().catch((error: unknown) => {
      this.#parts.logger.error({ at: origin(error) }, "a session's players did not end cleanly");
    });
    this.#socket?.close(1001, "The node shuts down.");
  }

  #tell(event: NodeEvent): void {
    this.#socket?.send(JSON.stringify({ op: "event", d: event }));
  }

  async #receive(text: string, isBinary: boolean): Promise<void> {
    const envelope: Envelope = {};
    try {
      if (isBinary) throw new OpError("bad_json", "The message is binary; ops are JSON text.");
      const command = readCommand(text, envelope);
      await this.#players.inTurn(command.guildId, () => command.apply(this.#players));
      this.#tell({ type: "done", op: "", guild_id: command.guildId, ...envelope });
    } catch (error) {
      this.#tell({ type: "error", ...this.#describe(error, envelope), ...envelope });
    }
  }

  /** Only errors of our own are told. The message of any other may hold a secret: not even the log gets it. */
  #describe(error: unknown, envelope: Envelope): Pick<Failed, "code" | "message" | "field"> {
    if (error instanceof CadenzaError) {
      const { code, message } = error;
      const field = error instanceof OpError ? error.field : undefined;
      return field === undefined ? { code, message } : { code, message, field };
    }
    this.#parts.logger.error({ op: envelope.op, at: origin(error) }, "an op failed unexpectedly");
    const message = "The node failed to carry out the op; its log says more.";
    return { code: "internal_error", message };
  }

  #onClosed(socket: ClientSocket, code: number): void {
    const { userId, logger, resumeTimeoutMs } = this.#parts;
    logger.info({ userId, code }, "client disconnected");
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    if (this.#closed) return;
    const waitMs = this.#players.size === 0 ? 0 : resumeTimeoutMs;
    this.#expiry = setTimeout(() => void this.close(), waitMs);
    this.#expiry.unref();
  }
}

/** Where an error was thrown, without what it says. */
function origin(error: unknown): string[] {
  const lines = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  return lines.map((line) => line.trim()).filter((line) => line.startsWith("at "));
}
