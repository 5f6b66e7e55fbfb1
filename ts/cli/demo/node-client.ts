/** A small client of the player node: sends ops, collects events. */

import { EventEmitter, once } from "node:events";
import { WebSocket } from "ws";

/** One `event` of the node, as it stands on the wire. */
export interface NodeEvent {
  type: string;
  [key: string]: unknown;
}

/** A connection to the node; events arrive as `event`. */
export class NodeClient extends EventEmitter<{ event: [NodeEvent]; closed: [number] }> {
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    super();
    this.#socket = socket;
    socket.on("message", (data) => this.#receive(String(data)));
    socket.on("close", (code) => this.emit("closed", code));
    socket.on("error", () => undefined);
  }

  /** Connects and authenticates. */
  static async connect(url: string, password: string, userId: string): Promise<NodeClient> {
    const headers = { Authorization: password, "User-Id": userId, "Client-Name": "cadenza-demo" };
    const socket = new WebSocket(url, { headers });
    await once(socket, "open");
    return new NodeClient(socket);
  }

  /** Sends one op. */
  send(op: string, d: Record<string, unknown>): void {
    this.#socket.send(JSON.stringify({ op, d }));
  }

  /** Closes the socket. */
  close(): void {
    this.#socket.close(1000);
  }

  #receive(text: string): void {
    const message = JSON.parse(text) as { op: string; d: NodeEvent };
    if (message.op === "event") this.emit("event", message.d);
  }
}
