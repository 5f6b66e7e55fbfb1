/** Gives the packets of others to a receiver of the user's, such as an `OpusWriter`. */

import { CadenzaError } from "../../support/errors.ts";
import type { AudioReceiver } from "../audio-receiver.ts";
import type { OpusFrameReceiver, UserFilter } from "../frames.ts";
import { toPacket } from "./received.ts";
import type { VoiceReceiver } from "./voice-receiver.ts";

/** What an {@link OpusPacketReceiver} is made of. */
export interface OpusPacketReceiverParts {
  /** Takes the packets. */
  receiver: OpusFrameReceiver;
  /** The receiving side of the connection. */
  incoming: VoiceReceiver;
  /** Whose packets; asked when a user first speaks, before any work is spent. Default: everybody's. */
  filter?: UserFilter;
  /** Told what the receiver threw. */
  failed?: (error: CadenzaError) => void;
}

/** Feeds one {@link OpusFrameReceiver} from a connection's receiver: packets in order and once. */
export class OpusPacketReceiver implements AudioReceiver {
  readonly #parts: OpusPacketReceiverParts;
  #detach: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: OpusPacketReceiverParts) {
    this.#parts = parts;
  }

  /** Begins to receive. Idempotent; does nothing after a close. */
  open(): void {
    if (this.#detach || this.#isClosed) return;
    const { receiver, incoming, filter = "all" } = this.#parts;
    this.#detach = incoming.attach(filter, "opus", {
      piece: (group, piece) => {
        const packet = toPacket(group, piece);
        if (packet) this.#guard(() => receiver.receiveOpusFrame(group.userId, packet));
      },
      closed: () => this.close(),
    });
  }

  /** Forgets a user who is gone. */
  cleanupUser(userId: string): void {
    if (!this.#isClosed) this.#guard(() => this.#parts.receiver.cleanupUser?.(userId));
  }

  /** Ends, and tells the receiver. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#detach?.();
    this.#guard(() => this.#parts.receiver.close?.());
  }

  /** What a user's receiver throws is its own affair: reported, and nothing else changes. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (cause) {
      const message = `The Opus frame receiver threw: ${cause instanceof Error ? cause.message : cause}`;
      this.#parts.failed?.(new CadenzaError("receiver_failed", message, { cause }));
    }
  }
}
