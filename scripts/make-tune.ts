// Renders the bundled tune: `npx tsx scripts/make-tune.ts` writes examples/media/tune.opus.

import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { oggOpus } from "../ts/simulator/index.ts";
import { composeTune } from "./compose-tune.ts";

const FRAME_BYTES = 960 * 2 * 2;

interface Encoder {
  encode(pcm: Buffer): Buffer;
  setBitrate(bitrate: number): void;
}

const { OpusEncoder } = createRequire(import.meta.url)("@discordjs/opus") as {
  OpusEncoder: new (rate: number, channels: number) => Encoder;
};
const encoder = new OpusEncoder(48_000, 2);
encoder.setBitrate(96_000);
const samples = composeTune();
const bytes = Buffer.from(samples.buffer);
const packets: Buffer[] = [];
for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
  packets.push(Buffer.from(encoder.encode(bytes.subarray(at, at + FRAME_BYTES))));
}
// libopus looks ahead 312 samples at 48 kHz in its audio mode.
const file = oggOpus(packets, undefined, {
  preSkip: 312,
  comments: ["TITLE=Small Hours", "LICENSE=CC0-1.0"],
});
await writeFile(new URL("../examples/media/tune.opus", import.meta.url), file);
