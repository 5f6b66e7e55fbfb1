/** Pulls frames from a provider ahead of time and hands them to a call's native queue in batches. */

import { OPUS_CHANNELS, OPUS_FRAME_MS, OPUS_SAMPLE_RATE_HZ } from "../gateway/constants.ts";
import type { TrackInfo } from "../native/types.ts";
import { CadenzaError } from "../support/errors.ts";
import { checkedFrame, type OpusFrameProvider, type ProvidedFrame } from "./frames.ts";

/** Frames that are asked for before the native queue says how many it takes: one second, what it holds. */
const FIRST_BATCH = 50;
/** A provider that owes an answer for this long is reported, in milliseconds. */
const STALL_MS = 2000;

/** What a pump tells its owner. */
export interface FramePumpEvents {
  /** The first frame was handed over. */
  started(): void;
  /** Frames are about to be handed over: whoever keeps the speaking flags sets them now. */
  speaking(): void;
  /** The provider owes an answer for so long; told once per answer. */
  stalled(forMs: number): void;
  /** The provider failed; what was handed over is still played. */
  failed(error: CadenzaError): void;
  /** Everything that was handed over has been played. */
  ended(): void;
}

/** What is known of frames that JavaScript gives. */
export const FRAMES_INFO: TrackInfo = {
  container: "frames",
  codec: "opus",
  passthrough: true,
  sampleRate: OPUS_SAMPLE_RATE_HZ,
  channels: OPUS_CHANNELS,
};

/** A track whose frames come from JavaScript. */
export interface Frames {
  track: number;
  pump: FramePump;
  failed: boolean;
}

/** Where frames go; a native flow fits. */
export interface FrameQueue {
  pushFrames(frames: readonly Uint8Array[]): number;
  stats(): { queueFrames: number } | undefined;
}

/** One provider on its way into one call. It owns two timers, neither of which keeps the process alive. */
export class FramePump {
  readonly #provider: OpusFrameProvider;
  readonly #queue: FrameQueue;
  readonly #events: FramePumpEvents;
  #batch: Uint8Array[] = [];
  /** How many more frames fit. */
  #room = FIRST_BATCH;
  #asking = false;
  #handedOver = 0;
  /** Nothing that was handed over is still to be played. */
  #silent = true;
  #state: "running" | "ending" | "closed" = "running";
  #flush: NodeJS.Immediate | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(provider: OpusFrameProvider, queue: FrameQueue, events: FramePumpEvents) {
    this.#provider = provider;
    this.#queue = queue;
    this.#events = events;
  }

  /** Frames handed over so far. */
  get handedOver(): number {
    return this.#handedOver;
  }

  /** Begins to ask. */
  start(): void {
    void this.#ask();
  }

  /** The native queue runs low and takes so many frames. */
  wanted(count: number): void {
    this.#room = Math.max(0, count - this.#batch.length);
    if (this.#batch.length > 0) this.#handOver();
    void this.#ask();
  }

  /** The call fell silent; the end, if nothing more comes. Returns whether frames still wait. */
  drained(): boolean {
    const waiting = this.#batch.length > 0 || (this.#queue.stats()?.queueFrames ?? 0) > 0;
    this.#silent = !waiting;
    if (!waiting && this.#state === "ending") this.#finish();
    return waiting;
  }

  /** Asks no more and tells the provider. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearImmediate(this.#flush);
    clearTimeout(this.#again);
    this.#batch = [];
    this.#tellProvider();
  }

  async #ask(): Promise<void> {
    if (this.#asking || this.#state !== "running") return;
    this.#asking = true;
    try {
      while (this.#state === "running" && this.#room > 0) {
        if (!this.#take(await this.#answer())) break;
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#asking = false;
    }
  }

  /** One answer. Those that are there already are not waited for, so that a batch is one turn of the loop. */
  #answer(): ProvidedFrame | Promise<ProvidedFrame> {
    const answer = this.#provider.provideOpusFrame();
    if (!(answer instanceof Promise)) return answer;
    const since = performance.now();
    const tell = (): void => this.#events.stalled(Math.round(performance.now() - since));
    const watchdog = setTimeout(tell, STALL_MS);
    watchdog.unref();
    return answer.finally(() => clearTimeout(watchdog));
  }

  /** Takes an answer; false when nothing more is to be asked at present. */
  #take(answer: ProvidedFrame): boolean {
    if (this.#state !== "running") return false;
    if (answer === null) {
      this.#end();
      return false;
    }
    const frame = checkedFrame(answer);
    if (!frame) {
      this.#later(() => void this.#ask());
      return false;
    }
    this.#room -= 1;
    this.#batch.push(frame);
    this.#flush ??= setImmediate(() => this.#handOver());
    return true;
  }

  #handOver(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    if (this.#state === "closed" || this.#batch.length === 0) return;
    this.#events.speaking();
    const taken = this.#queue.pushFrames(this.#batch);
    this.#batch = this.#batch.slice(taken);
    if (this.#handedOver === 0 && taken > 0) this.#events.started();
    this.#handedOver += taken;
    this.#silent &&= taken === 0;
    if (this.#batch.length > 0) this.#later(() => this.#handOver());
  }

  #end(): void {
    this.#state = "ending";
    this.#handOver();
    if (this.#silent && this.#batch.length === 0) this.#finish();
  }

  #fail(error: unknown): void {
    if (this.#state !== "running") return;
    this.#events.failed(providerFailure("frame provider", error));
    this.#end();
  }

  #finish(): void {
    this.close();
    this.#events.ended();
  }

  #later(work: () => void): void {
    clearTimeout(this.#again);
    this.#again = setTimeout(work, OPUS_FRAME_MS);
    this.#again.unref();
  }

  /** What a provider throws while it is told goodbye concerns nobody any more. */
  #tellProvider(): void {
    try {
      this.#provider.close?.();
    } catch {
      return;
    }
  }
}

/** The error of something that the user gave; its message is the user's own, and may say what it likes. */
export function providerFailure(what: string, error: unknown): CadenzaError {
  if (error instanceof CadenzaError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CadenzaError("provider_failed", `The ${what} failed: ${message}`, { cause: error });
}
