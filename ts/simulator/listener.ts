/** What somebody in the channel hears: every packet, what is wrong with it, and the sound itself. */

import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Lateness, lateness } from "./lateness.ts";
import { oggOpus } from "./ogg.ts";
import { wav } from "./wav.ts";

/** One Opus packet that was heard. */
export interface HeardPacket {
  userId: string;
  ssrc: number;
  sequence: number;
  timestamp: number;
  opus: Buffer;
  /** Milliseconds on the monotonic clock. */
  arrivedMs: number;
  /** Whether it is the silence frame F8 FF FE. */
  silence: boolean;
}

/** Something a faithful server would object to. */
export interface Problem {
  code: string;
  message: string;
  userId?: string;
}

/** Most packets that are kept: ten hours. Later ones are counted as dropped. */
const MAX_PACKETS = 1_800_000;
const MAX_PROBLEMS = 1000;
/** Longest gap that `pcm` fills: one minute of samples. */
const MAX_GAP = 60 * 48_000;

/** Hears everybody in one channel. */
export class Listener {
  readonly packets: HeardPacket[] = [];
  readonly problems: Problem[] = [];
  /** Packets and problems beyond the limits. */
  dropped = 0;
  /** Encryption mode of the last packet heard. */
  mode = "";
  readonly #waiting = new Set<() => void>();

  /** Records a packet; called by the media server. */
  hear(packet: HeardPacket, mode: string): void {
    this.mode = mode;
    if (this.packets.length < MAX_PACKETS) this.packets.push(packet);
    else this.dropped += 1;
    for (const check of [...this.#waiting]) check();
  }

  /** Records a problem; called by the servers. */
  object(problem: Problem): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
    else this.dropped += 1;
  }

  /** Counts, and how late packets came against the best 20 ms grid of their sender. */
  stats(): {
    packets: number;
    problems: number;
    dropped: number;
    mode: string;
    lateness: Lateness;
  } {
    const counts = { packets: this.packets.length, problems: this.problems.length };
    return { ...counts, dropped: this.dropped, mode: this.mode, lateness: lateness(this.packets) };
  }

  /** What one speaker said, decoded by libopus, 48 kHz stereo; gaps are silent. Default: who spoke first. */
  pcm(userId = this.packets[0]?.userId): Int16Array {
    const packets = this.#from(userId);
    if (packets.length === 0) return new Int16Array(0);
    const decoder = createDecoder();
    const last = positions(packets).at(-1) ?? 0;
    const samples = new Int16Array((last + 960) * 2);
    const places = positions(packets);
    for (const [at, packet] of packets.entries()) {
      const decoded = decoder.decode(packet.opus);
      const values = new Int16Array(decoded.buffer, decoded.byteOffset, decoded.length / 2);
      const start = (places[at] ?? 0) * 2;
      samples.set(values.subarray(0, samples.length - start), start);
    }
    return samples;
  }

  /** Writes what one speaker said as a WAV file. */
  async writeWav(path: string, userId?: string): Promise<void> {
    await writeFile(path, wav(this.pcm(userId)));
  }

  /** Writes what one speaker said as an Ogg Opus file, packet for packet. */
  async writeOgg(path: string, userId = this.packets[0]?.userId): Promise<void> {
    const packets = this.#from(userId);
    await writeFile(
      path,
      oggOpus(
        packets.map((packet) => packet.opus),
        positions(packets),
      ),
    );
  }

  /** Resolves true once `condition` holds, false when it does not within `timeoutMs`. Checked at every packet. */
  waitFor(condition: (listener: Listener) => boolean, timeoutMs = 10_000): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (held: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(held);
      };
      const check = (): void => {
        if (condition(this)) settle(true);
      };
      const timer = setTimeout(() => settle(condition(this)), timeoutMs);
      this.#waiting.add(check);
      check();
    });
  }

  #from(userId: string | undefined): HeardPacket[] {
    return this.packets.filter((packet) => packet.userId === userId);
  }
}

/** First sample of each packet, from the timestamps; a jump beyond a minute, or back, counts as no gap. */
function positions(packets: readonly HeardPacket[]): number[] {
  let at = 0;
  return packets.map((packet, index) => {
    const before = packets[index - 1];
    if (!before) return 0;
    const step = (packet.timestamp - before.timestamp) >>> 0;
    at += step > 0 && step <= MAX_GAP ? step : 960;
    return at;
  });
}

interface OpusDecoder {
  decode(packet: Buffer): Buffer;
}

/** Loaded when first needed: who only counts packets needs no decoder. */
function createDecoder(): OpusDecoder {
  const require = createRequire(import.meta.url);
  const { OpusEncoder } = require("@discordjs/opus") as {
    OpusEncoder: new (rate: number, channels: number) => OpusDecoder;
  };
  return new OpusEncoder(48_000, 2);
}
