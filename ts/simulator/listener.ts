/** What somebody in the channel hears: every packet, what is wrong with it, and the sound itself. */

import { writeFile } from "node:fs/promises";
import { type Lateness, lateness } from "./lateness.ts";
import { oggOpus } from "./ogg.ts";
import { MAX_PROBLEMS, type Problem } from "./problems.ts";
import { decodeRecording, type HeardPacket, withoutGaps, writeRecording } from "./recording.ts";

/** Between two looks at what somebody waits for, in milliseconds. */
const LOOK_EVERY_MS = 20;

/** Options of a listener. */
export interface ListenerOptions {
  /** Most packets that are kept; later ones are only counted. Default 360,000: two hours of one speaker. */
  maxPackets?: number;
}

/** What {@link Listener.stats} tells. */
export interface ListenerStats {
  /** Packets kept. */
  packets: number;
  /** Packets that were heard though not kept. */
  dropped: number;
  /** Packets that a member could not decrypt; none of them is kept. */
  unopened: number;
  problems: number;
  /** Encryption mode of the last packet heard; empty before the first. */
  mode: string;
  lateness: Lateness;
}

/** Hears everybody in one channel. */
export class Listener {
  /** What was heard, in the order of arrival. */
  readonly packets: HeardPacket[] = [];
  /** What a faithful server would object to in the clients of the channel. */
  readonly problems: Problem[] = [];
  readonly #maxPackets: number;
  /** Checks of who waits, and how each gives up. */
  readonly #waiting = new Map<() => void, () => void>();
  #dropped = 0;
  #unopened = 0;
  #mode = "";

  constructor(options: ListenerOptions = {}) {
    this.#maxPackets = options.maxPackets ?? 360_000;
  }

  /** Records a packet; called by the simulator. */
  hear(packet: HeardPacket, mode: string): void {
    this.#mode = mode;
    if (this.packets.length < this.#maxPackets) this.packets.push(packet);
    else this.#dropped += 1;
    this.poke();
  }

  /** Counts a packet that could not be decrypted; called by the simulator. */
  miss(): void {
    this.#unopened += 1;
    this.poke();
  }

  /** Records a problem; called by the simulator. */
  object(problem: Problem): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
    this.poke();
  }

  /** Looks at what is waited for; called by the simulator when sessions change. */
  poke(): void {
    for (const check of [...this.#waiting.keys()]) check();
  }

  /** Counts, and how late packets came against the best 20 ms grid of their sender. */
  stats(): ListenerStats {
    return {
      packets: this.packets.length,
      dropped: this.#dropped,
      unopened: this.#unopened,
      problems: this.problems.length,
      mode: this.#mode,
      lateness: lateness(this.packets),
    };
  }

  /**
   * What one speaker said, decoded by libopus, interleaved 48 kHz stereo; gaps are silent.
   *
   * Holds at most the first hour. Default: who spoke first.
   */
  pcm(userId?: string): Int16Array {
    return decodeRecording(this.#from(userId));
  }

  /** Writes what one speaker said as a WAV file, of any length. Default: who spoke first. */
  async writeWav(path: string, userId?: string): Promise<void> {
    await writeRecording(path, this.#from(userId));
  }

  /** Writes what one speaker said as an Ogg Opus file, packet for packet, silence in the gaps. */
  async writeOgg(path: string, userId?: string): Promise<void> {
    await writeFile(path, oggOpus(withoutGaps(this.#from(userId))));
  }

  /**
   * Resolves true once the condition holds, false when it does not within the time.
   *
   * Looked at with every packet, every problem and every change of the channel's sessions, and 50 times a second for
   * conditions that ask something else.
   */
  waitFor(condition: (listener: Listener) => boolean, timeoutMs = 10_000): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const settle = (held: boolean): void => {
        clearTimeout(timer);
        clearInterval(looking);
        this.#waiting.delete(check);
        resolve(held);
      };
      const check = (): void => {
        try {
          if (condition(this)) settle(true);
        } catch (error) {
          settle(false);
          reject(error);
        }
      };
      const giveUp = (): void => settle(false);
      const timer = setTimeout(giveUp, timeoutMs);
      const looking = setInterval(check, LOOK_EVERY_MS);
      this.#waiting.set(check, giveUp);
      check();
    });
  }

  /** Whoever waits waits in vain; called when the simulator closes. */
  close(): void {
    for (const giveUp of [...this.#waiting.values()]) giveUp();
  }

  #from(userId = this.packets[0]?.userId): HeardPacket[] {
    return this.packets.filter((packet) => packet.userId === userId);
  }
}
