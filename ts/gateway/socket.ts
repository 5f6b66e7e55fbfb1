/** A thin owner of one WebSocket: typed messages out, bad frames counted, every end reported once. */

import { WebSocket } from "ws";
import {
  type ClientMessage,
  MAX_FRAME_BYTES,
  parseBinary,
  parseText,
  type ServerMessage,
  serialise,
} from "./messages.ts";
import { secureContext, type TlsOptions } from "./tls.ts";

/** What a socket tells its owner. */
export interface SocketEvents {
  opened(): void;
  message(message: ServerMessage): void;
  /** A frame that could not be understood; the connection stays. */
  badFrame(code: string): void;
  closed(code: number): void;
}

/** So long a peer may take to answer a close, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000;

/** One WebSocket to a voice gateway. */
export class GatewaySocket {
  /** Resolves when the socket is closed and its system resources are free. */
  readonly gone: Promise<void>;
  readonly #socket: WebSocket;
  #ended = false;

  /** @throws SyntaxError for a URL that is none. */
  constructor(url: string, events: SocketEvents, tls: TlsOptions = {}) {
    this.#socket = new WebSocket(url, {
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
      ...(url.startsWith("wss:") && { secureContext: secureContext(tls) }),
    });
    this.#socket.on("open", () => !this.#ended && events.opened());
    this.#socket.on("message", (data, isBinary) => {
      if (this.#ended) return;
      const frame = Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[]);
      read(frame, isBinary, events);
    });
    // An error is always followed by `close`, which carries the code.
    this.#socket.on("error", () => undefined);
    this.gone = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.on("close", (code) => {
      if (this.#ended) return;
      this.#ended = true;
      events.closed(code);
    });
  }

  /** Sends a message; nothing happens when the socket is not open. */
  send(message: ClientMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(serialise(message));
  }

  /** Sends a frame, text or binary; false when the socket is not open. */
  sendFrame(frame: string | Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Closes; no event follows. A peer that does not answer the close within a second is cut off. */
  close(code: number, reason = ""): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#socket.readyState === WebSocket.CONNECTING) return this.#socket.terminate();
    this.#socket.close(code, reason);
    const cutOff = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    cutOff.unref();
    this.#socket.once("close", () => clearTimeout(cutOff));
  }
}

function read(frame: Buffer, isBinary: boolean, events: SocketEvents): void {
  let message: ServerMessage;
  try {
    message = isBinary ? parseBinary(frame) : parseText(frame.toString("utf8"));
  } catch (error) {
    events.badFrame((error as { code: string }).code);
    return;
  }
  events.message(message);
}
