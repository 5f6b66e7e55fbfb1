/** One bot at the node: its players, its socket while it has one, and the time they outlive it. */

import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import { CadenzaError } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import type { Client } from "./auth.ts";
import { CLOSE_REPLACED, ClientSocket } from "./client-socket.ts";
import { EventLog, type Missed } from "./event-log.ts";
import { OpError } from "./ops/fields.ts";
import type { OpResult } from "./ops/op.ts";
import type { Done, Failed, NodeEvent, Stats } from "./ops/protocol.ts";
import { type Envelope, type ReadCommand, readCommand } from "./ops/table.ts";
import type { Players } from "./players.ts";
import { readPush } from "./pushed-sound.ts";

/** Version of the op protocol, told in `ready`. */
export const PROTOCOL_VERSION = "1";

/** What a session is made of. */
export interface SessionParts {
  userId: string;
  makePlayers: (tell: (event: NodeEvent) => void) => Players;
  /** Milliseconds that players outlive their client's socket. */
  resumeTimeoutMs: number;
  logger: Logger;
  /** Sees every event that is told. */
  observe: (event: NodeEvent) => void;
  /** How the node stands, apart from this bot's players. */
  nodeStats: () => Omit<Stats, "type" | "players" | "playing">;
  /** Called once, when the session begins to end and takes no other socket. */
  ending: (ended: Promise<void>) => void;
}

/** Events that show the present moment alone: the next one says more than those that were missed. */
const MOMENTARY: ReadonlySet<NodeEvent["type"]> = new Set([
  "ready",
  "player_update",
  "push_wanted",
  "stats",
]);

/** What a client says about the socket that it lost. */
export type Resuming = Pick<Client, "sessionId" | "lastEvent">;

/** A bot's session. */
export class ClientSession {
  /** Names the session towards its client. */
  readonly id = randomBytes(16).toString("hex");
  readonly #parts: SessionParts;
  readonly #players: Players;
  readonly #log = new EventLog();
  #sockets = 0;
  #socket: ClientSocket | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#players = parts.makePlayers((event) => this.tell(event));
  }

  /** The bot. */
  get userId(): string {
    return this.#parts.userId;
  }

  /** The bot's players. */
  get players(): Players {
    return this.#players;
  }

  /** Whether a client is connected. */
  get connected(): boolean {
    return this.#socket !== undefined;
  }

  /** Takes a socket; a former one is closed. Events that the client missed follow if it asks for them. */
  attach(webSocket: WebSocket, { sessionId, lastEvent }: Resuming): void {
    clearTimeout(this.#expiry);
    this.#socket?.close(CLOSE_REPLACED, "Another connection of this bot took over.");
    const socket = new ClientSocket(webSocket, {
      message: (text) => {
        if (this.#socket === socket) void this.#receive(text);
      },
      binary: (bytes) => {
        if (this.#socket === socket) void this.#takeSound(bytes);
      },
      closed: (code) => this.#onClosed(socket, code),
    });
    this.#socket = socket;
    const asked = sessionId === this.id ? lastEvent : undefined;
    this.#greet(socket, asked === undefined ? undefined : this.#log.since(asked));
    this.tellStats();
    for (const player of this.#players) player.update();
  }

  /** Tells the client how the node stands. */
  tellStats(): void {
    if (!this.#socket) return;
    const players = [...this.#players];
    const playing = players.filter(({ standing }) => standing === "playing").length;
    const ours = { players: players.length, playing };
    this.tell({ type: "stats", ...ours, ...this.#parts.nodeStats() });
  }

  #greet(socket: ClientSocket, missed: Missed | undefined): void {
    const resumed = this.#sockets > 0;
    this.#sockets += 1;
    this.tell({
      type: "ready",
      version: PROTOCOL_VERSION,
      user_id: this.#parts.userId,
      session_id: this.id,
      resumed,
      replayed: missed?.messages.length ?? 0,
      complete: missed?.complete ?? !resumed,
      resume_timeout: this.#parts.resumeTimeoutMs,
    });
    for (const message of missed?.messages ?? []) socket.send(message);
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

  /** Tells the client; what it misses while it is away is kept for it. */
  tell(event: NodeEvent): void {
    this.#parts.observe(event);
    const message = MOMENTARY.has(event.type)
      ? JSON.stringify({ op: "event", d: event })
      : this.#log.add((s) => JSON.stringify({ op: "event", s, d: event }));
    this.#socket?.send(message);
  }

  async #receive(text: string): Promise<void> {
    const envelope: Envelope = {};
    try {
      const result = await this.#carryOut(readCommand(text, envelope));
      const done: Done = { type: "done", op: "", ...envelope };
      this.tell(result === undefined ? done : { ...done, result });
    } catch (error) {
      this.tell({ type: "error", ...this.#describe(error, envelope), ...envelope });
    }
  }

  /** Sound that is pushed; there is an answer only when it was not taken. */
  async #takeSound(bytes: Buffer): Promise<void> {
    const envelope: Envelope = { op: "push" };
    try {
      const { guildId, sound } = readPush(bytes);
      envelope.guild_id = guildId;
      await this.#players.take(guildId, sound);
    } catch (error) {
      this.tell({ type: "error", ...this.#describe(error, envelope), ...envelope });
    }
  }

  #carryOut(command: ReadCommand): Promise<OpResult> {
    const { guildId } = command;
    if (guildId === undefined) return command.apply(this.#players);
    if (command.interrupts) this.#players.interrupt(guildId);
    return this.#players.inTurn(guildId, () => command.apply(this.#players));
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
