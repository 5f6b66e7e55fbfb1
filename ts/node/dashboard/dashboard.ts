/** The dashboard's sockets: who may look, and what they are told once a second. */

import type { WebSocket } from "ws";
import type { AttemptLimit } from "../attempts.ts";
import { isPassword } from "../auth.ts";
import type { NodePlayer } from "../node-player.ts";
import type { Recorder } from "./recorder.ts";
import { MAX_ROWS, type PlayerRow, rowOf, type Snapshot, trouble } from "./snapshot.ts";

/** Sockets at the same time, those that have not shown the password yet among them. */
export const MAX_VIEWERS = 32;
/** Milliseconds to show the password. */
const PASSWORD_TIMEOUT_MS = 10_000;
/** Bytes that may wait for a viewer; until they are gone it is told nothing. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Characters that can be looked for. */
const MAX_FIND = 100;
/** Close code for a wrong password. */
export const CLOSE_WRONG_PASSWORD = 4401;
/** Close code for the node's having enough viewers. */
export const CLOSE_TOO_MANY = 4429;

/** What the dashboard looks at. */
export interface DashboardParts {
  password: string;
  attempts: AttemptLimit;
  recorder: Recorder;
  /** All but rows, samples and errors. */
  summary: () => Omit<Snapshot, "type" | "rows" | "found" | "samples" | "errors">;
  players: () => Iterable<[userId: string, player: NodePlayer]>;
}

interface Viewer {
  socket: WebSocket;
  admitted: boolean;
  /** What is looked for in guild, bot, title and source. */
  find: string;
  /** Time of the last sample that was told. */
  toldAt: number;
}

/** All sockets of the dashboard. */
export class Dashboard {
  readonly #parts: DashboardParts;
  readonly #viewers = new Set<Viewer>();

  constructor(parts: DashboardParts) {
    this.#parts = parts;
  }

  /** Takes a socket; its first message has to be `{"password": "…"}`. */
  attach(socket: WebSocket, remote: string): void {
    socket.on("error", () => undefined);
    if (this.#viewers.size >= MAX_VIEWERS) {
      return socket.close(CLOSE_TOO_MANY, "The node has enough viewers.");
    }
    const viewer: Viewer = { socket, admitted: false, find: "", toldAt: 0 };
    this.#viewers.add(viewer);
    const timer = setTimeout(() => socket.terminate(), PASSWORD_TIMEOUT_MS);
    timer.unref();
    socket.on("close", () => {
      clearTimeout(timer);
      this.#viewers.delete(viewer);
    });
    socket.on("message", (data) => {
      const { password, find } = parse(String(data));
      if (viewer.admitted) this.#look(viewer, find);
      else if (this.#admit(viewer, password, remote)) clearTimeout(timer);
    });
  }

  /** Tells every viewer how things stand. */
  tell(): void {
    const admitted = [...this.#viewers].filter((viewer) => viewer.admitted);
    if (admitted.length === 0) return;
    const rows = this.#rows();
    for (const viewer of admitted) this.#tell(viewer, rows);
  }

  /** Ends every socket. */
  close(): void {
    for (const { socket } of this.#viewers) socket.close(1001, "The node shuts down.");
  }

  #admit(viewer: Viewer, password: unknown, remote: string): boolean {
    const { attempts, password: expected } = this.#parts;
    const now = performance.now();
    const isRight = typeof password === "string" && isPassword(password, expected);
    if (isRight && !attempts.blocks(remote, now)) {
      viewer.admitted = true;
      this.#tell(viewer);
      return true;
    }
    attempts.wrong(remote, now);
    viewer.socket.close(CLOSE_WRONG_PASSWORD, "The password is wrong, or was so too often.");
    return false;
  }

  #look(viewer: Viewer, find: unknown): void {
    if (typeof find !== "string") return;
    viewer.find = find.slice(0, MAX_FIND).trim().toLowerCase();
    this.#tell(viewer);
  }

  #tell(viewer: Viewer, all = this.#rows()): void {
    const { socket, find } = viewer;
    if (socket.readyState !== socket.OPEN || socket.bufferedAmount > MAX_WAITING_BYTES) return;
    const samples = this.#parts.recorder.since(viewer.toldAt);
    viewer.toldAt = samples.at(-1)?.at ?? viewer.toldAt;
    const fitting = all.filter((row) => fits(row, find));
    const rows = fitting.slice(0, MAX_ROWS);
    const snapshot: Snapshot = {
      type: "snapshot",
      ...this.#parts.summary(),
      rows,
      found: fitting.length,
      samples,
      errors: this.#parts.recorder.errors,
    };
    socket.send(JSON.stringify(snapshot));
  }

  /** The worst first. */
  #rows(): PlayerRow[] {
    const rows = [...this.#parts.players()].map(([userId, player]) => rowOf(userId, player));
    return rows.sort((a, b) => trouble(b) - trouble(a));
  }
}

function fits({ guild_id, user_id, title, source }: PlayerRow, find: string): boolean {
  if (find === "") return true;
  return [guild_id, user_id, title, source].some((text) => text?.toLowerCase().includes(find));
}

function parse(text: string): { password?: unknown; find?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
