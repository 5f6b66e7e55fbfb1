/** One user's sound as a Node stream that keeps time. */

import { Readable } from "node:stream";
import type { AudioGroup, AudioPiece } from "../../native/index.ts";
import type { AudioFormat } from "./received.ts";
import type { VoiceReceiver } from "./voice-receiver.ts";

/** Silence is made in chunks of this many bytes at most. */
const SILENCE_CHUNK = 19_200;
const SAMPLE_BYTES = 2;
const CLOCK_RATE = 48_000;

/** Options of `VoiceReceiver.stream`. */
export interface UserStreamOptions {
  /** Default: samples at 48 kHz in stereo. `"opus"` gives one packet per chunk, without what was lost or silent. */
  format?: AudioFormat;
  /**
   * Ends the stream when nothing was heard for so long, in milliseconds, counted from the first sound on.
   * Default: it ends with the connection alone.
   */
  endAfterSilenceMs?: number;
  /** Bytes that may wait to be read; the oldest are dropped. Default 4 MiB: 20 s of 48 kHz stereo. */
  maxPendingBytes?: number;
  /** Destroys the stream. */
  signal?: AbortSignal;
}

/** What waits to be read: sound, or so many bytes of silence. */
type Pending = Uint8Array | number;

/** A readable stream of one user's sound; destroying it ends the subscription. */
export class UserAudioStream extends Readable {
  readonly #pending: Pending[] = [];
  readonly #format: AudioFormat;
  readonly #maxPendingBytes: number;
  readonly #detach: () => void;
  readonly #endAfterSilenceMs: number | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #pendingBytes = 0;
  #dropped = 0;
  #isWanted = false;
  #isOver = false;

  constructor(receiver: VoiceReceiver, userId: string, options: UserStreamOptions) {
    const { format = { sampleRate: CLOCK_RATE, channels: 2 }, signal } = options;
    super({ objectMode: format === "opus", ...(signal && { signal }) });
    this.#format = format;
    this.#maxPendingBytes = options.maxPendingBytes ?? 4 * 1024 * 1024;
    this.#endAfterSilenceMs = options.endAfterSilenceMs;
    this.#detach = receiver.attach(userId, format, {
      piece: (group, piece) => this.#take(group, piece),
      closed: () => this.#end(),
    });
  }

  /** Bytes that were dropped because nobody read them in time. */
  get droppedBytes(): number {
    return this.#dropped;
  }

  override _read(): void {
    this.#isWanted = true;
    this.#give();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#quiet);
    this.#detach();
    this.#pending.length = 0;
    done(error);
  }

  #take(_group: AudioGroup, piece: AudioPiece): void {
    if (this.#isOver) return;
    if (piece.kind === "sound") {
      if (!piece.silent) this.#waitForQuiet();
      this.#keep(piece.data.slice());
    } else if (piece.kind === "silence") {
      this.#pending.push(this.#bytesOf(piece));
    }
    this.#give();
  }

  #keep(data: Uint8Array): void {
    this.#pending.push(data);
    this.#pendingBytes += data.length;
    while (this.#pendingBytes > this.#maxPendingBytes) {
      const oldest = this.#pending.shift();
      if (typeof oldest !== "object") continue;
      this.#pendingBytes -= oldest.length;
      this.#dropped += oldest.length;
    }
  }

  /** Hands on as much as is wanted; silence is made only now, because it may be long. */
  #give(): void {
    while (this.#isWanted) {
      const next = this.#pending[0];
      if (next === undefined) {
        if (this.#isOver) this.push(null);
        return;
      }
      if (typeof next === "object") {
        this.#pending.shift();
        this.#pendingBytes -= next.length;
        this.#isWanted = this.push(next);
        continue;
      }
      const length = Math.min(next, SILENCE_CHUNK);
      if (next > length) this.#pending[0] = next - length;
      else this.#pending.shift();
      if (length > 0) this.#isWanted = this.push(Buffer.alloc(length));
    }
  }

  /** Computed from both ends, so that fractions of a sample do not add up. */
  #bytesOf({ position, samples }: AudioPiece): number {
    if (this.#format === "opus") return 0;
    const { sampleRate, channels } = this.#format;
    const at = (place: number): number => Math.floor((place * sampleRate) / CLOCK_RATE);
    return (at(position + samples) - at(position)) * channels * SAMPLE_BYTES;
  }

  #waitForQuiet(): void {
    if (this.#endAfterSilenceMs === undefined) return;
    if (this.#quiet) this.#quiet.refresh();
    else this.#quiet = setTimeout(() => this.#end(), this.#endAfterSilenceMs).unref();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#quiet);
    this.#detach();
    this.#isWanted = true;
    this.#give();
  }
}
