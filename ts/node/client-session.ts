/** One bot at the node: its players, its socket while it has one, and the time they outlive it. */

import type { WebSocket } from "ws";
import { OpError } from "./ops/fields.ts";
import type { NodeEvent } from "./ops/protocol.ts";
import { carryOut, type Envelope, readFrame } from "./ops/table.ts";
import type { Players } from "./players.ts";
import { RateLimit } from "./rate-limit.ts";

/** Bytes that may wait for a client that does not read; then it is closed with {@link CLOSE_TOO_SLOW}. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Close code for a client that does not read its socket. */
export const CLOSE_TOO_SLOW = 4000;
/** Close code for the older of two sockets of one bot. */
export const CLOSE_REPLACED = 4001;

/** A bot's session. */
export class ClientSession {
  readonly players: Players;
  readonly #onExpired: () => void;
  readonly #lingerMs: number;
  readonly #rate = new RateLimit();
  #socket: WebSocket | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(
    makePlayers: (tell: (event: NodeEvent) => void) => Players,
    lingerMs: number,
    onExpired: () => void,
  ) {
    this.players = makePlayers((event) => this.tell(event));
    this.#lingerMs = lingerMs;
    this.#onExpired = onExpired;
  }

  /** Takes a socket; a former one is closed. */
  attach(socket: WebSocket, version: string): void {
    clearTimeout(this.#linger);
    this.#socket?.close(CLOSE_REPLACED, "Another connection of this bot took over.");
    this.#socket = socket;
    socket.on("message", (data, isBinary) => void this.#receive(String(data), isBinary));
    socket.on("error", () => undefined);
    socket.on("close", () => this.#onClosed(socket));
    this.tell({ type: "ready", version });
  }

  /** Sends an event, if there is a socket that takes it. */
  tell(event: NodeEvent): void {
    const socket = this.#socket;
    if (!socket || socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify({ op: "event", d: event }));
    if (socket.bufferedAmount > MAX_WAITING_BYTES) {
      socket.close(CLOSE_TOO_SLOW, "The client does not read its socket.");
      socket.terminate();
    }
  }

  /** Ends players and socket. */
  async close(): Promise<void> {
    clearTimeout(this.#linger);
    await this.players.destroyAll();
    this.#socket?.close(1001, "The node shuts down.");
    this.#socket = undefined;
  }

  async #receive(text: string, isBinary: boolean): Promise<void> {
    let envelope: Envelope = {};
    try {
      if (!this.#rate.take(performance.now())) {
        throw new OpError(
          "rate_limited",
          `At most ${RateLimit.PER_SECOND} messages a second are carried out.`,
        );
      }
      if (isBinary) throw new OpError("bad_json", "The message is binary; ops are JSON text.");
      const frame = readFrame(text);
      envelope = frame.envelope;
      await carryOut(frame, this.players);
      const { op = "", guild_id = "", id } = envelope;
      this.tell({ type: "done", op, guild_id, ...(id === undefined ? {} : { id }) });
    } catch (error) {
      this.tell({ type: "error", ...describe(error), ...envelope });
    }
  }

  #onClosed(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#linger = setTimeout(() => {
      void this.players.destroyAll();
      this.#onExpired();
    }, this.#lingerMs);
    this.#linger.unref();
  }
}

function describe(error: unknown): { code: string; message: string; field?: string } {
  const { code, message, field } = error as Partial<OpError>;
  if (typeof code !== "string" || typeof message !== "string") {
    return {
      code: "internal_error",
      message: "The node failed to carry out the op; its log says more.",
    };
  }
  return field === undefined ? { code, message } : { code, message, field };
}
