/** What every sender plays: the same Opus frames, as a list and as an Ogg file, and samples to encode. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { musicLike, wavFile } from "../../__test__/support/wav.ts";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import { oggOpus } from "../../ts/simulator/ogg.ts";

/** Length of what is played, in seconds: longer than any measurement with its joins. */
const PLAY_SECONDS = 600;
/** Length of the samples; senders play them again from the start. */
const WAV_SECONDS = 120;

/** Paths of the files to play. */
export interface Fixture {
  /** Opus frames, each behind its length (16 bits, little endian); the file repeats itself for whoever reads it. */
  frames: string;
  /** The same frames, repeated, as Ogg Opus. */
  ogg: string;
  /** 48 kHz stereo samples. */
  wav: string;
  /** 44.1 kHz stereo MP3 of the same length as the Ogg file. */
  mp3: string;
  /** Mean length of a frame in bytes. */
  frameBytes: number;
}

/** Writes the files into a folder. */
export function makeFixture(root: string, folder: string): Fixture {
  mkdirSync(folder, { recursive: true });
  const packets = oggOpusPackets(readFileSync(join(root, "examples/media/tune.opus"))) ?? [];
  const paths = {
    frames: join(folder, "tune.frames"),
    ogg: join(folder, "tune.opus"),
    wav: join(folder, "music.wav"),
    mp3: join(folder, "music.mp3"),
  };
  writeFileSync(paths.frames, lengthPrefixed(packets));
  const repeated = Array.from(
    { length: PLAY_SECONDS * 50 },
    (_, at) => packets[at % packets.length] ?? Buffer.alloc(0),
  );
  writeFileSync(paths.ogg, oggOpus(repeated));
  writeFileSync(paths.wav, wavFile(musicLike(WAV_SECONDS, 48_000), 48_000, 2));
  writeFileSync(paths.mp3, repeatedMp3(root));
  const bytes = packets.reduce((sum, packet) => sum + packet.length, 0);
  return { ...paths, frameBytes: bytes / Math.max(1, packets.length) };
}

/** A short MP3 again and again, without its first frame, which tells a length. */
function repeatedMp3(root: string): Buffer {
  const file = readFileSync(join(root, "crates/audio/tests/fixtures/stereo-44100.mp3"));
  const mark = Buffer.from([0xff, 0xfb]);
  const sound = file.subarray(file.indexOf(mark, file.indexOf(mark) + 2));
  return Buffer.concat(Array.from({ length: Math.ceil(PLAY_SECONDS / 2) }, () => sound));
}

function lengthPrefixed(packets: readonly Uint8Array[]): Buffer {
  const parts = packets.flatMap((packet) => {
    const length = Buffer.alloc(2);
    length.writeUInt16LE(packet.length);
    return [length, packet];
  });
  return Buffer.concat(parts);
}
