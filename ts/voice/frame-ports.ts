/** The user's own frame provider and receiver of one call: opened, replaced and closed with it. */

import type { AudioReceiver, ReceiverParts } from "./audio-receiver.ts";
import {
  type AudioSender,
  NativeAudioSender,
  type SenderParts,
  TimedAudioSender,
} from "./audio-sender.ts";
import type { Factories } from "./factories.ts";
import type { OpusFrameProvider, OpusFrameReceiver, UserFilter } from "./frames.ts";
import { OpusPacketReceiver } from "./receive/opus-packet-receiver.ts";
import { UdpConnection } from "./udp-connection.ts";

/** At most one provider and one receiver. */
export class FramePorts {
  readonly #parts: Omit<SenderParts, "provider"> & Omit<ReceiverParts, "receiver">;
  readonly #factories: Pick<Factories, "sender" | "receiver">;
  #sender: AudioSender | undefined;
  #receiver: AudioReceiver | undefined;

  constructor(
    parts: Omit<SenderParts, "provider"> & Omit<ReceiverParts, "receiver">,
    factories: Pick<Factories, "sender" | "receiver"> = {},
  ) {
    this.#parts = parts;
    this.#factories = factories;
  }

  /** Sends what a provider gives, or nothing. The one before is closed. */
  setProvider(provider: OpusFrameProvider | undefined): void {
    const { sender: create = defaultSender } = this.#factories;
    this.#sender?.close();
    this.#sender = provider && create({ ...this.#parts, provider });
    this.#sender?.open();
  }

  /** Gives what is heard of some users to a receiver, or to nobody. The one before is closed. */
  setReceiver(receiver: OpusFrameReceiver | undefined, filter?: UserFilter): void {
    this.#receiver?.close();
    this.#receiver = undefined;
    if (!receiver) return;
    const { receiver: create = defaultReceiver } = this.#factories;
    this.#receiver = create({ ...this.#parts, receiver, ...(filter && { filter }) });
    this.#receiver.open();
  }

  /** A user is gone. */
  cleanupUser(userId: string): void {
    this.#receiver?.cleanupUser(userId);
  }

  /** Closes both. Idempotent. */
  close(): void {
    this.setProvider(undefined);
    this.setReceiver(undefined);
  }
}

function defaultSender(parts: SenderParts): AudioSender {
  const native = parts.udp instanceof UdpConnection;
  return native ? new NativeAudioSender(parts) : new TimedAudioSender(parts);
}

function defaultReceiver(parts: ReceiverParts): AudioReceiver {
  return new OpusPacketReceiver(parts);
}
