/** A simulated member's messages from the voice gateway, worked off one by one so that nothing else waits for long. */

import { VoiceOpcode } from "../../gateway/opcodes.ts";
import type { DaveClient } from "./client.ts";

/** Takes frames as a socket would bring them. */
export class DaveInbox {
  readonly #client: DaveClient;
  readonly #onHandled: () => void;
  readonly #frames: (string | Buffer)[] = [];
  #next: NodeJS.Immediate | undefined;

  /** `onHandled` is called after each frame. */
  constructor(client: DaveClient, onHandled: () => void) {
    this.#client = client;
    this.#onHandled = onHandled;
  }

  /** Takes a frame; it is looked at later. */
  push(frame: string | Buffer): void {
    this.#frames.push(frame);
    this.#next ??= setImmediate(() => this.#work());
  }

  /** Looks at nothing any more. */
  close(): void {
    if (this.#next) clearImmediate(this.#next);
    this.#frames.length = 0;
  }

  #work(): void {
    this.#next = undefined;
    const frame = this.#frames.shift();
    if (frame === undefined) return;
    if (this.#frames.length > 0) this.#next = setImmediate(() => this.#work());
    this.#handle(frame);
    this.#onHandled();
  }

  #handle(frame: string | Buffer): void {
    if (typeof frame !== "string") return this.#client.binary(frame[2] ?? -1, frame.subarray(3));
    const { op, d } = JSON.parse(frame) as { op: number; d: Record<string, unknown> };
    if (op !== VoiceOpcode.SessionDescription) return this.#client.json(op, d);
    this.#client.describe(Number(d.dave_protocol_version));
  }
}
