/** Sends a provider's frames into a call: natively, or, where the UDP connection is somebody's own, from a timer. */

import { OPUS_FRAME_MS, SILENCE_FRAME, SILENCE_FRAME_COUNT } from "../gateway/constants.ts";
import { SpeakingFlags } from "../gateway/opcodes.ts";
import { CadenzaError } from "../support/errors.ts";
import { checkedFrame, type OpusFrameProvider } from "./frames.ts";
import type { Player } from "./player.ts";
import type { UdpLike } from "./udp-connection.ts";

/** Sends the frames of one provider. Closing one that was never opened does nothing but tell the provider. */
export interface AudioSender {
  /** Begins to send. */
  open(): void;
  /** Ends: five silence frames, Speaking 0, and the provider is told. Idempotent. */
  close(): void;
}

/** What a sender may use of its connection. */
export interface SenderParts {
  provider: OpusFrameProvider;
  player: Player;
  udp: UdpLike;
  /** Sets the speaking flags; told to the server when they change. */
  setSpeaking: (flags: number) => void;
  /** Says what went wrong with the provider. */
  failed: (error: CadenzaError) => void;
}

/** Makes the sender of a connection. */
export type CreateSender = (parts: SenderParts) => AudioSender;

/** Sends by the engine: the provider becomes the player's track, and the pacer keeps the time. */
export class NativeAudioSender implements AudioSender {
  readonly #parts: SenderParts;
  #track: number | undefined;
  #closed = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  open(): void {
    if (this.#closed || this.#track !== undefined) return;
    const { player, provider } = this.#parts;
    this.#track = player.play({ kind: "provider", provider });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { player, provider } = this.#parts;
    if (this.#track === undefined) closeQuietly(provider);
    else if (player.track === this.#track) player.stop();
  }
}

/** Ticks that may be made up for after a blocked event loop; those before are skipped. */
const MAX_CATCH_UP = 3;

/**
 * Sends by `udp.write` from a timer on the monotonic clock, for UDP connections that are not the engine's.
 *
 * A provider is asked once per frame; an answer that is not there in time is silence.
 */
export class TimedAudioSender implements AudioSender {
  readonly #parts: SenderParts;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #answer: Uint8Array | undefined;
  #asking = false;
  #over = false;
  #silences = SILENCE_FRAME_COUNT;
  #closed = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  open(): void {
    if (this.#closed || this.#timer) return;
    this.#dueMs = performance.now();
    this.#ask();
    this.#schedule();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    for (; this.#silences < SILENCE_FRAME_COUNT; this.#silences += 1) this.#write(SILENCE_FRAME);
    this.#parts.setSpeaking(SpeakingFlags.None);
    closeQuietly(this.#parts.provider);
  }

  #schedule(): void {
    const behind = performance.now() - this.#dueMs;
    if (behind > MAX_CATCH_UP * OPUS_FRAME_MS) this.#dueMs += behind;
    this.#dueMs += OPUS_FRAME_MS;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, this.#dueMs - performance.now()));
    this.#timer.unref();
  }

  #tick(): void {
    const frame = this.#answer;
    this.#answer = undefined;
    if (frame) this.#speak(frame);
    else if (this.#silences < SILENCE_FRAME_COUNT) this.#fallSilent();
    else if (this.#over) return this.close();
    this.#ask();
    if (!this.#closed) this.#schedule();
  }

  #speak(frame: Uint8Array): void {
    this.#parts.setSpeaking(SpeakingFlags.Microphone);
    this.#silences = 0;
    // No room, or not open yet: the frame waits for the next tick.
    if (!this.#write(frame) && !this.#over) this.#answer = frame;
  }

  #fallSilent(): void {
    this.#silences += 1;
    this.#write(SILENCE_FRAME);
    if (this.#silences === SILENCE_FRAME_COUNT) this.#parts.setSpeaking(SpeakingFlags.None);
  }

  #write(frame: Uint8Array): boolean {
    try {
      return this.#parts.udp.write(frame);
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #ask(): void {
    if (this.#asking || this.#answer || this.#over || this.#closed) return;
    this.#asking = true;
    const take = (answer: Uint8Array | undefined | null): void => {
      this.#asking = false;
      if (answer === null) this.#over = true;
      else this.#answer = checkedFrame(answer);
    };
    try {
      const answer = this.#parts.provider.provideOpusFrame();
      if (answer instanceof Promise) answer.then(take).catch((error) => this.#fail(error));
      else take(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#over = true;
    const message = error instanceof Error ? error.message : String(error);
    const failure = new CadenzaError("provider_failed", message, { cause: error });
    this.#parts.failed(error instanceof CadenzaError ? error : failure);
  }
}

function closeQuietly(provider: OpusFrameProvider): void {
  try {
    provider.close?.();
  } catch {
    return;
  }
}
