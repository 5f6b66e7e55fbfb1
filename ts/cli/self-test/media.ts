/** What the self-test plays: a file that is passed through, and one that has to be encoded. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { oggOpus } from "../../simulator/ogg.ts";
import { wavHeader } from "../../simulator/wav.ts";

const RATE = 48_000;
const FRAMES_PER_SECOND = 50;
/** Bytes of a frame at 96 kbit/s. */
const FRAME_BYTES = 240;
/** CELT, fullband, 20 ms, stereo, one frame (RFC 6716, section 3.1). */
const TOC = 0xfc;

/** Two files in a folder of their own. */
export class TestMedia implements AsyncDisposable {
  readonly opus: string;
  readonly wav: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.opus = join(folder, "test.opus");
    this.wav = join(folder, "test.wav");
  }

  /** @param seconds Length of both. */
  static async make(seconds: number): Promise<TestMedia> {
    const media = new TestMedia(await mkdtemp(join(tmpdir(), "cadenza-test-")));
    const frame = Buffer.alloc(FRAME_BYTES, 0x5a);
    frame[0] = TOC;
    const frames = Array.from({ length: seconds * FRAMES_PER_SECOND }, () => frame);
    await writeFile(media.opus, oggOpus(frames));
    await writeFile(media.wav, Buffer.concat([wavHeader(seconds * RATE), chord(seconds * RATE)]));
    return media;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Three tones that move: about as hard to encode as music. */
function chord(samples: number): Buffer {
  const pcm = new Int16Array(samples * 2);
  for (let at = 0; at < samples; at++) {
    const time = at / RATE;
    const wobble = Math.sin(time * 5) * 3;
    const tone = (hertz: number): number => Math.sin(2 * Math.PI * hertz * time + wobble);
    pcm[at * 2] = 6000 * (tone(220) + tone(554.4));
    pcm[at * 2 + 1] = 6000 * (tone(329.6) + tone(1760));
  }
  return Buffer.from(pcm.buffer);
}
