/** A program that speaks in lines of JSON: receivers, gateways and senders are children of the harness. */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** How to start a program. */
export interface Program {
  command: string;
  args: readonly string[];
  cwd?: string;
  env?: Readonly<Record<string, string>>;
}

/** A line of a child. */
export type Line = Record<string, unknown>;

/** A running program. */
export class Child {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #name: string;
  readonly #lines: Line[] = [];
  #waiting: (() => void) | undefined;
  #ended: Promise<void>;
  #over = false;
  #complaints = "";

  /** Starts a program; `name` is what errors call it. */
  constructor(name: string, program: Program) {
    this.#name = name;
    this.#process = spawn(program.command, program.args, {
      cwd: program.cwd,
      env: { ...process.env, ...program.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process.stdin.on("error", () => undefined);
    this.#process.stderr.on("data", (chunk: Buffer) => {
      this.#complaints = (this.#complaints + chunk.toString()).slice(-2000);
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#take(line));
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#over = true;
        this.#waiting?.();
        resolve();
      };
      this.#process.once("close", end);
      this.#process.once("error", end);
    });
  }

  /** The process id. */
  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Sends a line. */
  say(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  /** The next line; rejects when the program ends or says nothing for so long. */
  async line(timeoutMs = 30_000): Promise<Line> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const line = this.#lines.shift();
      if (line) return line;
      if (this.#over) throw new Error(`${this.#name} ended. ${this.#complaints.trim()}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${this.#name} said nothing for ${timeoutMs / 1000} s.`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** The next line that has a field of this name; others are passed over. */
  async until(field: string, timeoutMs?: number): Promise<Line> {
    for (;;) {
      const line = await this.line(timeoutMs);
      if (field in line) return line;
    }
  }

  /** Sends a line and returns the next one that comes. */
  async ask(line: string, timeoutMs?: number): Promise<Line> {
    this.say(line);
    return this.line(timeoutMs);
  }

  /** Ends the program: first by the end of its input, after 3 s by force. */
  async stop(): Promise<void> {
    this.#process.stdin.end();
    const force = setTimeout(() => this.#process.kill("SIGKILL"), 3000);
    await this.#ended;
    clearTimeout(force);
  }

  #take(line: string): void {
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === "object" && value !== null) this.#lines.push(value as Line);
    } catch {
      // Programs may print what they like besides lines of JSON.
    }
    this.#waiting?.();
  }
}
