/** Starts a node with fake voice for tests, and clients that wait for events. */

import { once } from "node:events";
import { WebSocket } from "ws";
import {
  encodeTrackId,
  type NodeConfigInput,
  type NodeParts,
  PlayerNode,
} from "../../ts/node/index.ts";
import type { EventMessage, NodeEvent } from "../../ts/node/ops/protocol.ts";
import type { Logger } from "../../ts/support/logger.ts";
import { type FakeCall, FakeCalls } from "./fake-voice.ts";
import { protocolProblems } from "./protocol-schema.ts";

export const PASSWORD = "correct horse battery";
export const BOT = "104694319306248192";
export const GUILD = "490948346773635102";
/** An id that plays, as far as the fake is concerned. */
export const TRACK = trackId("https://example.org/song.ogg");

const WAIT_MS = 30_000;

/** An event of one type. */
export type EventOf<Type extends NodeEvent["type"]> = Extract<NodeEvent, { type: Type }>;

/** A track id that says nothing but where the track is. */
export function trackId(url: string): string {
  return encodeTrackId({
    title: null,
    identifier: null,
    url,
    length: null,
    author: null,
    author_id: null,
    thumbnail: null,
    is_live: null,
  });
}

/** A node whose calls are fakes. */
export class TestNode implements AsyncDisposable {
  readonly node: PlayerNode;
  readonly #calls: Map<string, FakeCalls[]>;
  readonly #clients: TestClient[] = [];

  private constructor(node: PlayerNode, calls: Map<string, FakeCalls[]>) {
    this.node = node;
    this.#calls = calls;
  }

  static async start(
    config: NodeConfigInput = {},
    logger?: Logger,
    parts: NodeParts = {},
  ): Promise<TestNode> {
    const calls = new Map<string, FakeCalls[]>();
    const makeCalls = (userId: string): FakeCalls => {
      const made = new FakeCalls();
      calls.set(userId, [...(calls.get(userId) ?? []), made]);
      return made;
    };
    const node = await PlayerNode.start(
      { port: 0, password: PASSWORD, player_update_interval_ms: 60_000, ...config },
      { makeCalls, ...(logger ? { logger } : {}), ...parts },
    );
    return new TestNode(node, calls);
  }

  /** Connects a client and takes its `ready`. */
  async connect(headers: Record<string, string> = {}): Promise<TestClient> {
    const client = await TestClient.open(this.node.url, headers);
    this.#clients.push(client);
    return client;
  }

  /** The calls of a bot's latest session. */
  calls(userId = BOT): FakeCalls {
    const found = this.#calls.get(userId)?.at(-1);
    if (!found) throw new Error(`bot ${userId} has no session`);
    return found;
  }

  /** The latest call in a guild. */
  call(guildId = GUILD, userId = BOT): FakeCall {
    return this.calls(userId).connection(guildId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.socket.terminate();
    await this.node.close();
    const wrong = this.#clients.flatMap((client) => client.wrong);
    if (wrong.length > 0) throw new Error(`messages break the schema: ${wrong.join("; ")}`);
  }
}

/** A client that keeps every event. */
export class TestClient {
  readonly socket: WebSocket;
  readonly events: NodeEvent[] = [];
  /** What was wrong with messages of the node, by the published schema. */
  readonly wrong: string[] = [];
  /** Number of the last event that had one. */
  lastEvent = 0;
  readonly closed: Promise<number>;
  #read = 0;
  readonly #waiting = new Set<() => void>();
  #requests = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as EventMessage;
      this.wrong.push(...protocolProblems(message));
      this.events.push(message.d);
      if (message.s !== undefined) this.lastEvent = message.s;
      this.#wake();
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on("close", (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<TestClient> {
    const socket = new WebSocket(url, {
      headers: { Authorization: PASSWORD, "User-Id": BOT, ...headers },
    });
    const client = new TestClient(socket);
    await once(socket, "open");
    await client.next("ready");
    return client;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Sends a text or a binary message as it is. */
  raw(message: string | Uint8Array): void {
    this.socket.send(message);
  }

  /** Sends an op and returns its answer. */
  async send(op: string, d: unknown): Promise<EventOf<"done"> | EventOf<"error">> {
    this.#requests += 1;
    const id = this.#requests;
    this.raw(JSON.stringify({ op, d, id }));
    return await this.until(
      (event): event is EventOf<"done"> | EventOf<"error"> =>
        (event.type === "done" || event.type === "error") && event.id === id,
      this.events.length,
    );
  }

  /** The next event of a type after those already waited for with `next`. */
  async next<Type extends NodeEvent["type"]>(type: Type): Promise<EventOf<Type>> {
    const found = await this.until(
      (event): event is EventOf<Type> => event.type === type,
      this.#read,
    );
    this.#read = this.events.indexOf(found) + 1;
    return found;
  }

  /** The first event from index `from` on that fits. */
  async until<Found extends NodeEvent>(
    fits: (event: NodeEvent) => event is Found,
    from: number,
  ): Promise<Found> {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      const found = this.events.slice(from).find(fits);
      if (found) return found;
      const left = deadline - Date.now();
      if (left <= 0 || this.socket.readyState >= WebSocket.CLOSING) {
        const seen = this.events.slice(from).map(({ type }) => type);
        throw new Error(`the event did not come; there were: ${seen.join(", ")}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
}

/** Waits for a condition that no event announces. */
export async function eventually(holds: () => boolean, waitMs = WAIT_MS): Promise<void> {
  const deadline = Date.now() + waitMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error("the condition did not come to hold");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
