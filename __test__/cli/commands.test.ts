/** The command line as a user runs it: what is printed, what is written, exit codes. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { DiscordSimulator } from "../../ts/simulator/index.ts";

const main = fileURLToPath(new URL("../../ts/cli/main.ts", import.meta.url));
const tune = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const COMMANDS = ["play", "serve", "simulate", "doctor", "bench", "demo"];

interface Result {
  code: number | null;
  out: string;
  err: string;
}

function start(args: string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, ["--import=tsx", main, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  const result: Result = { code: null, out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    result.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    result.err += chunk;
  });
  const ended = once(child, "close").then(([code]) => ({ ...result, code: code as number }));
  return { child, ended, result };
}

async function cadenza(...args: string[]): Promise<Result> {
  const { child, ended } = start(args);
  child.stdin.end();
  return await ended;
}

async function scratch(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-cli-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error("it did not come to hold");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("--help of the program and of every command says what it does, with examples, in plain text", async (t) => {
  const all = await cadenza("--help");
  t.is(all.code, 0);
  t.regex(all.out, /Exit codes: 0 done, 1 failed, 2 wrong usage/);
  const version = await cadenza("--version");
  t.is(version.code, 0);
  t.regex(version.out, /^\d+\.\d+\.\d+\n$/);
  for (const command of COMMANDS) {
    t.true(all.out.includes(`  ${command} `), command);
    const { code, out } = await cadenza(command, "--help");
    t.is(code, 0, command);
    t.regex(out, /Examples?:/, command);
    t.false(out.includes("\u001b"), command);
  }
});

test("wrong usage exits 2 and says what would be right", async (t) => {
  const folder = await scratch(t);
  await writeFile(join(folder, "room.json"), '{"guildId": "1"}');
  const cases: [string[], RegExp][] = [
    [["sing"], /unknown command/],
    [["play"], /missing required argument/],
    [["play", tune, "--start", "x"], /--start takes seconds, m:ss or h:mm:ss/],
    [["play", tune, "--start", "9", "--end", "0:05"], /--end takes a time after --start/],
    [["play", tune, "--room", join(folder, "none.json")], /--room takes a file of JSON/],
    [["play", tune, "--room", join(folder, "room.json")], /userId is missing/],
    [["bench", "--calls", "many"], /--calls takes a number from 0 to 10000/],
    [["doctor", "--seconds", "-1"], /--seconds takes a number|unknown option/],
    [["serve", "--port", "x"], /port takes a whole number from 0 to 65535|password is missing/],
  ];
  for (const [args, sentence] of cases) {
    const { code, err } = await cadenza(...args);
    t.is(code, 2, args.join(" "));
    t.regex(err, sentence);
  }
});

test("play: into the simulator, with progress and what was heard", async (t) => {
  const folder = await scratch(t);
  const out = join(folder, "heard");
  const played = await cadenza("play", "--start", "0:01", "--end", "2.5", "--out", out, tune, tune);
  t.is(played.code, 0, played.err);
  t.is(played.out.match(/opus, passed through/g)?.length, 2);
  t.regex(played.out, /0:02\.5 of 0:13\.\d {2}\d+ packets late/);
  t.false(played.out.includes("\u001b"), "no colours where there is no terminal");
  t.is((await readFile(join(out, "heard.wav"))).subarray(0, 4).toString(), "RIFF");
  t.true(existsSync(join(out, "heard.ogg")));
});

test("play: what cannot be played exits 1 with one sentence", async (t) => {
  const folder = await scratch(t);
  const broken = join(folder, "broken.mp3");
  await writeFile(broken, "no music here, ".repeat(500));
  for (const track of [broken, join(folder, "none.mp3")]) {
    const { code, err } = await cadenza("play", track);
    t.is(code, 1, track);
    t.regex(err.trim(), /^cadenza: [^\n]+\.$/);
  }
});

test("play: into a given call, stopped by Ctrl-C with 130", async (t) => {
  const folder = await scratch(t);
  const simulator = await DiscordSimulator.start();
  t.teardown(() => simulator.close());
  const room = { guildId: "490948346773635102", channelId: "127121515262115840" };
  const listener = simulator.listen(room);
  const credentials = simulator.admit({ ...room, userId: "104694319306248192" });
  await writeFile(join(folder, "room.json"), JSON.stringify({ credentials }));
  const { child, ended, result } = start(["play", "--room", join(folder, "room.json"), tune]);
  t.true(await listener.waitFor(({ packets }) => packets.length > 20, 60_000), result.err);
  child.kill("SIGINT");
  t.is((await ended).code, 130);
});

test("doctor: says what works, and in JSON, too", async (t) => {
  const { code, out } = await cadenza("doctor", "--seconds", "2");
  t.is(code, 0, out);
  for (const name of ["node", "cores", "addon", "timing", "passthrough", "transcoding"]) {
    t.regex(out, new RegExp(`^[✓!·] ${name} `, "m"));
  }
  const json = await cadenza("doctor", "--seconds", "0", "--json");
  const { findings } = JSON.parse(json.out) as { findings: { name: string; verdict: string }[] };
  t.true(findings.every(({ verdict }) => verdict !== "fail"));
  t.false(findings.some(({ name }) => name === "timing"));
});

test("bench: measures both kinds, and prints JSON", async (t) => {
  const run = await cadenza(
    "bench",
    "--calls",
    "20",
    "--transcoding",
    "2",
    "--seconds",
    "1",
    "--json",
  );
  const report = JSON.parse(run.out) as Record<string, { calls: number; packets: number }>;
  t.is(report.passthrough?.calls, 20);
  t.is(report.transcoding?.calls, 2);
  t.true((report.passthrough?.packets ?? 0) > 0 && (report.transcoding?.packets ?? 0) > 0);
  t.true(run.code === 0 || /more than 20 ms late/.test(run.err));
});

test("serve: starts with what it is told, drains on SIGTERM and exits 0, without secrets in its log", async (t) => {
  const { child, ended, result } = start(["serve", "--port", "0", "--max-players", "7"], {
    CADENZA_PASSWORD: "a-secret-word",
  });
  await until(() => result.out.includes("the node listens"));
  child.kill("SIGTERM");
  const { code, out, err } = await ended;
  t.is(code, 0, err);
  t.regex(out, /the node drains/);
  t.false(`${out}${err}`.includes("a-secret-word"));
  for (const line of out.trim().split("\n")) t.notThrows(() => JSON.parse(line), line);
});

test("simulate: prints a room that a client can use, and ends with Ctrl-C", async (t) => {
  const { child, ended, result } = start(["simulate"]);
  await until(() => result.out.trimEnd().endsWith("}"));
  const { credentials } = JSON.parse(result.out) as { credentials: { endpoint: string } };
  t.regex(credentials.endpoint, /:\d+$/);
  child.kill("SIGINT");
  t.is((await ended).code, 0);
});
