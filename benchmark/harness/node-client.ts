/** The client of a node under measurement: makes players and lets them play, by ops. */

import { once } from "node:events";
import { WebSocket } from "ws";
import { encodeTrackId, type NodeEvent } from "../../ts/node/index.ts";

/** Time for all players to get where they are wanted, in milliseconds. */
const PATIENCE_MS = 120_000;

/** A connected client. */
export class BenchmarkClient {
  readonly #socket: WebSocket;
  readonly #endpoint: string;
  readonly #counts = { ready: 0, started: 0 };
  #trouble: string | undefined;
  #wake: () => void = () => undefined;

  private constructor(socket: WebSocket, endpoint: string) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    socket.on("message", (data) => this.#take((JSON.parse(String(data)) as { d: NodeEvent }).d));
    socket.on("close", () => this.#take({ type: "error", code: "closed", message: "closed" }));
  }

  /** Connects to a node whose players are to talk to a gateway at `endpoint`. */
  static async connect(url: string, endpoint: string): Promise<BenchmarkClient> {
    const headers = { Authorization: "correct horse battery", "User-Id": "104694319306248192" };
    const socket = new WebSocket(url, { headers });
    await once(socket, "open");
    return new BenchmarkClient(socket, endpoint);
  }

  /** Makes players for the guilds `from` to `to`, and waits until all have their voice connections. */
  async join(from: number, to: number): Promise<void> {
    for (let guild = from; guild <= to; guild++) {
      const credentials = { session_id: `session-${guild}`, token: "token" };
      this.#send("voice_update", {
        guild_id: String(guild),
        endpoint: this.#endpoint,
        ...credentials,
      });
    }
    await this.#until(() => this.#counts.ready >= to);
  }

  /** Lets the guilds `from` to `to` play a file, and waits until all are heard. */
  async play(from: number, to: number, path: string): Promise<void> {
    const nothing = { title: null, identifier: null, length: null, author: null, author_id: null };
    const track = { ...nothing, url: path, thumbnail: null, is_live: null };
    const goal = this.#counts.started + to - from + 1;
    for (let guild = from; guild <= to; guild++) {
      this.#send("play", { guild_id: String(guild), track_id: encodeTrackId(track) });
    }
    await this.#until(() => this.#counts.started >= goal);
  }

  /** Disconnects. */
  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.terminate();
  }

  #send(op: string, d: object): void {
    this.#socket.send(JSON.stringify({ op, d }));
  }

  #take(event: NodeEvent): void {
    if (event.type === "voice_state" && event.state === "ready") this.#counts.ready += 1;
    if (event.type === "track_start") this.#counts.started += 1;
    if (event.type === "error" || event.type === "track_error") this.#trouble = event.message;
    this.#wake();
  }

  async #until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      const left = deadline - performance.now();
      if (this.#trouble !== undefined) throw new Error(`the node: ${this.#trouble}`);
      if (left <= 0) throw new Error("the players did not get ready in time");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
