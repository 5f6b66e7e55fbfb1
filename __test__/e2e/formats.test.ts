/** From op to ear: every format through the node, in every mode, heard by other people's crypto and decoder. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { Demo } from "../../ts/cli/demo/run.ts";
import type { CadenzaError } from "../../ts/support/errors.ts";
import { musicLike, wavFile } from "../support/wav.ts";

const fixtures = fileURLToPath(new URL("../../crates/audio/tests/fixtures/", import.meta.url));
const tune = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const MODES = [
  "aead_aes256_gcm_rtpsize",
  "aead_xchacha20_poly1305_rtpsize",
  "xsalsa20_poly1305_lite",
  "xsalsa20_poly1305_suffix",
  "xsalsa20_poly1305",
];
/** One file of each format named by the README. */
const FORMATS = [
  { file: "stereo-20ms.opus", codec: "opus", passthrough: true },
  { file: "stereo-20ms.webm", codec: "opus", passthrough: true },
  { file: "stereo-44100.mp3", codec: "mp3", passthrough: false },
  { file: "stereo-48000.flac", codec: "flac", passthrough: false },
  { file: "stereo-44100.ogg", codec: "vorbis", passthrough: false },
  { file: "stereo-44100.m4a", codec: "aac", passthrough: false },
];

for (const mode of MODES) {
  for (const { file, codec, passthrough } of FORMATS) {
    test(`${file} is heard as it was sent in ${mode}`, async (t) => {
      await using demo = await Demo.start({ track: join(fixtures, file), mode });
      const { verdict, started, mode: heardMode } = await demo.play();
      t.true(verdict.ok, verdict.findings.join("\n"));
      t.is(heardMode, mode);
      t.like(started, { codec, passthrough });
    });
  }
}

test("a WAV file is heard as it was sent", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const track = join(folder, "tone.wav");
  await writeFile(track, wavFile(musicLike(1, 44_100), 44_100, 2));
  await using demo = await Demo.start({ track });
  const { verdict, started } = await demo.play();
  t.true(verdict.ok, verdict.findings.join("\n"));
  t.like(started, { codec: "pcm", passthrough: false });
});

test("the bundled tune is heard bit for bit", async (t) => {
  await using demo = await Demo.start({ track: tune, seconds: 2 });
  const { verdict, listener } = await demo.play();
  t.true(verdict.ok, verdict.findings.join("\n"));
  t.true(verdict.findings.some((finding) => finding.includes("bit for bit")));
  t.is(listener.packets.filter((packet) => packet.silence).length, 5);
});

test("what cannot be played ends with a code and a sentence", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const cases = [
    { name: "empty.mp3", bytes: Buffer.alloc(0), code: "empty_source" },
    {
      name: "text.flac",
      bytes: Buffer.from("no music here, ".repeat(500)),
      code: "unsupported_format",
    },
  ];
  for (const { name, bytes, code } of cases) {
    const track = join(folder, name);
    await writeFile(track, bytes);
    await using demo = await Demo.start({ track });
    const error = await t.throwsAsync<CadenzaError>(demo.play());
    t.is(error?.code, code, name);
    t.regex(error?.message ?? "", /\w.*\.$/, name);
  }
});
