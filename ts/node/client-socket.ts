/** One socket of a client: bounds on what it sends and what waits for it, and a watch on whether it lives. */

import type { WebSocket } from "ws";
import { RateLimit } from "./rate-limit.ts";

/** Bytes that may wait for a client that does not read; then it is closed with {@link CLOSE_TOO_SLOW}. */
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Milliseconds between pings; a client that was not heard of between two of them is gone. */
export const PING_INTERVAL_MS = 30_000;
/** Close code for a client that does not read its socket. */
export const CLOSE_TOO_SLOW = 4000;
/** Close code for the older of two sockets of one bot. */
export const CLOSE_REPLACED = 4001;

/** What a socket is connected to. */
export interface SocketEvents {
  message(text: string): void;
  /** Bytes that the client pushes. */
  binary(bytes: Buffer): void;
  closed(code: number): void;
}

/** A client's socket. */
export class ClientSocket {
  readonly #socket: WebSocket;
  readonly #rate = new RateLimit(performance.now());
  readonly #timer: NodeJS.Timeout;
  #heard = true;
  #pause: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, events: SocketEvents, pingIntervalMs = PING_INTERVAL_MS) {
    this.#socket = socket;
    this.#timer = setInterval(() => this.#ping(), pingIntervalMs);
    this.#timer.unref();
    socket.on("pong", () => {
      this.#heard = true;
    });
    socket.on("message", (data, isBinary) => {
      this.#heard = true;
      if (socket.readyState !== socket.OPEN) return;
      this.#slowDown();
      if (isBinary) events.binary(data as Buffer);
      else events.message(String(data));
    });
    socket.on("error", () => undefined);
    socket.on("close", (code) => {
      clearInterval(this.#timer);
      clearTimeout(this.#pause);
      events.closed(code);
    });
  }

  /** Sends a text, unless the socket is closing. */
  send(text: string): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    socket.send(text);
    if (socket.bufferedAmount > MAX_WAITING_BYTES) {
      this.close(CLOSE_TOO_SLOW, "The client does not read its socket.");
    }
  }

  /** Begins to close; what the client still says is not read. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  /** A client that sends too fast is read more slowly: nothing is lost, and TCP holds it back. */
  #slowDown(): void {
    const waitMs = this.#rate.take(performance.now());
    if (waitMs === 0) return;
    clearTimeout(this.#pause);
    this.#socket.pause();
    this.#pause = setTimeout(() => this.#socket.resume(), waitMs);
  }

  #ping(): void {
    if (!this.#heard) return this.#socket.terminate();
    this.#heard = false;
    this.#socket.ping();
  }
}
