/** `cadenza demo` as a user runs it: exit codes, sentences, the files it writes. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";

const main = fileURLToPath(new URL("../../ts/cli/main.ts", import.meta.url));

async function cadenza(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, ["--import=tsx", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, out, err };
}

async function scratch(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

test("plays the tune, writes both files, reports and exits 0", async (t) => {
  const folder = await scratch(t);
  const { code, out, err } = await cadenza("demo", "--seconds", "2", "--out", join(folder, "new"));
  t.is(code, 0, err);
  t.regex(out, /playing .* packets {2}late p50/);
  t.regex(out, /e2ee +DAVE version 1, privacy code \d{30}, 0 packets not decrypted/);
  t.regex(out, /✓ \d+ Opus packets are bit for bit those of the file/);
  const wav = await readFile(join(folder, "new/heard.wav"));
  t.is(wav.subarray(0, 4).toString(), "RIFF");
  const packets = oggOpusPackets(await readFile(join(folder, "new/heard.ogg")));
  t.true((packets?.length ?? 0) >= 105);
});

test("what cannot be played exits 1 with one sentence", async (t) => {
  const folder = await scratch(t);
  const text = join(folder, "text.mp3");
  await writeFile(text, "no music here, ".repeat(500));
  for (const [track, sentence] of [
    [text, /^cadenza: The source cannot be played: .+\.$/],
    [join(folder, "none.mp3"), /^cadenza: There is no file .+\.$/],
    [folder, /^cadenza: There is no file .+\.$/],
    ["http://127.0.0.1:9/x.mp3", /^cadenza: .+\.$/],
  ] as const) {
    const { code, err } = await cadenza("demo", "--track", track, "--out", folder);
    t.is(code, 1, track);
    t.regex(err.trim(), sentence);
  }
});

test("wrong usage exits 2 and says what is allowed", async (t) => {
  for (const [args, sentence] of [
    [["demo", "--mode", "rot13"], /--mode takes one of aead_aes256_gcm_rtpsize/],
    [["demo", "--seconds", "-3"], /--seconds takes a number greater than 0/],
    [["demo", "--loud"], /unknown option/],
    [["sing"], /unknown command/],
  ] as const) {
    const { code, err } = await cadenza(...args);
    t.is(code, 2, err);
    t.regex(err, sentence);
  }
});

test("--help explains every command", async (t) => {
  for (const command of ["demo", "serve", "simulate"]) {
    const { code, out } = await cadenza(command, "--help");
    t.is(code, 0);
    t.regex(out, /Example/);
  }
});
