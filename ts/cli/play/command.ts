/** `cadenza play`: plays files and URLs into a call, with progress shown. */

import { readFileSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import type { TrackInfo } from "../../native/types.ts";
import { CadenzaError } from "../../support/errors.ts";
import { clockTime, LiveLine } from "../demo/live-line.ts";
import { readTime } from "../numbers.ts";
import { painter } from "../style.ts";
import { PlaySession, type RoomCredentials } from "./run.ts";

const HELP = `
Without --room, the track is played into a simulator of its own, which shows whether it can be played, and --out writes what was
heard. With --room it is played into the call of these credentials: JSON with guildId, channelId, userId, sessionId, token and
endpoint, as a bot gets them from its main gateway, or what cadenza simulate prints.

Several tracks are played one after another. Ctrl-C stops.

Exit codes: 0 played, 1 a track or the call failed, 2 wrong usage, 130 stopped by Ctrl-C.

Examples:
  cadenza play song.mp3
  cadenza play --start 1:30 --end 2:00 --out /tmp/heard https://example.org/song.ogg
  cadenza simulate > room.json & sleep 1; cadenza play --room room.json song.flac`;

const EXIT_INTERRUPTED = 130;
const ROOM_KEYS = ["guildId", "userId", "sessionId", "token", "endpoint"];

interface Flags {
  start?: string;
  end?: string;
  room?: string;
  out?: string;
}

/** The command. */
export function playCommand(): Command {
  return new Command("play")
    .description("Play files or URLs into a call, or into the simulator.")
    .argument("<track...>", "a file or an http(s) URL")
    .option("--start <time>", "where to begin: seconds, m:ss or h:mm:ss")
    .option("--end <time>", "where to end")
    .option("--room <file>", "credentials of a call, as JSON; - reads standard input")
    .option("--out <dir>", "write what was heard to heard.wav and heard.ogg there")
    .addHelpText("after", HELP)
    .action(play);
}

async function play(tracks: string[], flags: Flags): Promise<void> {
  const range = readRange(flags);
  const missing = tracks.find((track) => !isUrl(track) && !isFile(track));
  if (missing !== undefined) {
    throw new CadenzaError("source_not_found", `There is no file ${missing}.`);
  }
  if (flags.out !== undefined && flags.room !== undefined) {
    throw new CadenzaError("bad_config", "--out needs the simulator: leave --room out.");
  }
  const room = flags.room === undefined ? undefined : readRoom(flags.room);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  await using session = await PlaySession.open(room);
  for (const track of tracks) {
    try {
      await playOne(session, track, range, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      process.exitCode = EXIT_INTERRUPTED;
      return;
    }
  }
  if (flags.out !== undefined && session.listener) {
    await session.listener.waitFor(({ packets }) => packets.at(-1)?.silence === true, 2000);
    await mkdir(flags.out, { recursive: true });
    await session.listener.writeWav(join(flags.out, "heard.wav"));
    await session.listener.writeOgg(join(flags.out, "heard.ogg"));
  }
}

async function playOne(
  session: PlaySession,
  track: string,
  range: { startMs?: number; endMs?: number },
  signal: AbortSignal,
): Promise<void> {
  const { connection } = session;
  const paint = painter(process.stdout);
  let info: TrackInfo | undefined;
  const onStart = (_: number, started: TrackInfo): void => {
    info = started;
    const how = started.passthrough ? "passed through" : "transcoded to Opus";
    process.stdout.write(`${paint("dim", `${track}: ${started.codec}, ${how}`)}\n`);
  };
  connection.player.once("trackStart", onStart);
  let lastMs = range.startMs ?? 0;
  const line = new LiveLine(process.stdout, () => {
    const { player, status } = connection;
    if (player.playing) lastMs = player.positionMs;
    const length = info?.durationMs === undefined ? "" : ` of ${clockTime(info.durationMs)}`;
    const late = connection.stats()?.packetsLate ?? 0;
    const state = status === "ready" ? "" : `  ${paint("warn", status)}`;
    return `${clockTime(lastMs)}${length}  ${late} packets late${state}`;
  });
  try {
    await session.play(track, range, signal);
    lastMs = range.endMs ?? info?.durationMs ?? lastMs;
  } finally {
    line.stop();
    connection.player.off("trackStart", onStart);
  }
}

function readRange({ start, end }: Flags): { startMs?: number; endMs?: number } {
  const startMs = start === undefined ? undefined : readTime("--start", start);
  const endMs = end === undefined ? undefined : readTime("--end", end);
  if (endMs !== undefined && endMs <= (startMs ?? 0)) {
    throw new CadenzaError("bad_config", "--end takes a time after --start.");
  }
  return {
    ...(startMs === undefined ? {} : { startMs }),
    ...(endMs === undefined ? {} : { endMs }),
  };
}

function readRoom(path: string): RoomCredentials {
  let found: Record<string, unknown>;
  try {
    const text = readFileSync(path === "-" ? 0 : path, "utf8");
    const { credentials, certificate, ...rest } = JSON.parse(text);
    found = { ...(credentials ?? rest), ...(certificate ? { certificate } : {}) };
  } catch {
    throw new CadenzaError("bad_config", "--room takes a file of JSON.");
  }
  const missing = ROOM_KEYS.find((key) => typeof found[key] !== "string");
  if (missing === undefined) return found as unknown as RoomCredentials;
  throw new CadenzaError(
    "bad_config",
    `--room takes JSON with ${ROOM_KEYS.join(", ")}; ${missing} is missing.`,
  );
}

function isUrl(track: string): boolean {
  return /^https?:\/\//i.test(track);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
