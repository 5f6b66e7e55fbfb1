/** Checks one sender's stream of RTP packets against what the protocol asks of clients. */

import type { ProblemCode } from "./problems.ts";

/** Samples per channel in 20 ms. */
export const FRAME_SAMPLES = 960;
const SAMPLES_PER_MS = 48;
const SILENCE_FRAMES = 5;
/** A jump of the timestamp beyond this is a pause, which silence frames have to announce. */
const PAUSE_SAMPLES = 300 * SAMPLES_PER_MS;
/** Arrivals are compared with the timestamps over stretches of this length. */
const STRETCH_MS = 1000;
/** So far may timestamps and clock drift apart before it counts; stalls that are caught up do not. */
const CLOCK_TOLERANCE_MS = 500;

/** One packet, opened. */
export interface CheckedPacket {
  /** The first two bytes as a number. */
  header: number;
  sequence: number;
  timestamp: number;
  /** Whether it is the silence frame F8 FF FE. */
  silence: boolean;
  /** Milliseconds on a monotonic clock. */
  arrivedMs: number;
}

/** Follows sequence, timestamp, clock and silence of one SSRC. */
export class StreamCheck {
  readonly #object: (code: ProblemCode, message: string) => void;
  readonly #clock: ClockCheck;
  #last: CheckedPacket | undefined;
  #silenceRun = 0;

  constructor(object: (code: ProblemCode, message: string) => void) {
    this.#object = object;
    this.#clock = new ClockCheck(object);
  }

  /** Looks at the next packet, in the order of arrival. */
  packet(packet: CheckedPacket): void {
    if (packet.header !== 0x8078) {
      const hex = packet.header.toString(16).padStart(4, "0");
      this.#object("wrong_header", `the first two bytes are ${hex}, not 8078`);
    }
    if (this.#last && !this.#follows(this.#last, packet)) return;
    this.#clock.packet(packet);
    this.#silenceRun = packet.silence ? this.#silenceRun + 1 : 0;
    this.#last = packet;
  }

  /** The client says that it stopped speaking: the last thing heard has to be silence. */
  stopped(): void {
    if (this.#last && this.#silenceRun < SILENCE_FRAMES) {
      this.#object(
        "silence_missing",
        `speaking ended after ${this.#silenceRun} silence frames, not ${SILENCE_FRAMES}`,
      );
    }
  }

  /** Whether the packet continues the stream; one that is late or repeated changes nothing. */
  #follows(last: CheckedPacket, packet: CheckedPacket): boolean {
    const ahead = (packet.sequence - last.sequence) & 0xffff;
    if (ahead === 0 || ahead >= 0x8000) {
      this.#object("sequence_order", `sequence ${packet.sequence} came after ${last.sequence}`);
      return false;
    }
    if (ahead > 1) {
      this.#object("sequence_gap", `sequence ${packet.sequence} follows ${last.sequence}`);
    }
    const step = (packet.timestamp - last.timestamp) >>> 0;
    if (step === 0 || step >= 2 ** 31) {
      this.#object("timestamp_order", `timestamp ${packet.timestamp} follows ${last.timestamp}`);
    } else if (step % FRAME_SAMPLES !== 0) {
      this.#object("timestamp_step", `the timestamp moved by ${step} samples`);
    } else if (step > PAUSE_SAMPLES && ahead === 1 && this.#silenceRun < SILENCE_FRAMES) {
      const gapMs = step / SAMPLES_PER_MS;
      this.#object(
        "silence_missing",
        `a pause of ${gapMs} ms follows ${this.#silenceRun} silence frames, not ${SILENCE_FRAMES}`,
      );
    }
    return true;
  }
}

/**
 * Whether timestamps advance with the clock.
 *
 * A packet's offset is its arrival minus its timestamp. Late packets raise it for a while; only a client
 * that lets time pass without counting it, or counts more than passes, moves the least offset of a stretch.
 */
class ClockCheck {
  readonly #object: (code: ProblemCode, message: string) => void;
  /** Milliseconds that the timestamps add up to. */
  #mediaMs = 0;
  #timestamp: number | undefined;
  #baseMs: number | undefined;
  #stretch: { beganMs: number; leastMs: number } | undefined;

  constructor(object: (code: ProblemCode, message: string) => void) {
    this.#object = object;
  }

  packet({ timestamp, arrivedMs }: CheckedPacket): void {
    const step = this.#timestamp === undefined ? 0 : (timestamp - this.#timestamp) | 0;
    this.#timestamp = timestamp;
    this.#mediaMs += step / SAMPLES_PER_MS;
    const offsetMs = arrivedMs - this.#mediaMs;
    if (!this.#stretch || arrivedMs - this.#stretch.beganMs > STRETCH_MS) {
      if (this.#stretch) this.#judge(this.#stretch.leastMs);
      this.#stretch = { beganMs: arrivedMs, leastMs: offsetMs };
    }
    this.#stretch.leastMs = Math.min(this.#stretch.leastMs, offsetMs);
  }

  #judge(leastMs: number): void {
    this.#baseMs ??= leastMs;
    const driftMs = Math.round(leastMs - this.#baseMs);
    if (driftMs > CLOCK_TOLERANCE_MS) {
      this.#object("timestamp_behind_clock", `timestamps fell ${driftMs} ms behind the clock`);
      this.#baseMs = leastMs;
    } else if (driftMs < -CLOCK_TOLERANCE_MS) {
      this.#object("timestamp_ahead_of_clock", `timestamps ran ${-driftMs} ms ahead of the clock`);
      this.#baseMs = leastMs;
    }
  }
}
