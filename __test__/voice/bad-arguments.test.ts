/** Mistakes of callers, each a typed error at the call that made it; the call that plays meanwhile notices nothing. */

import test from "ava";
import { CadenzaError } from "../../ts/support/errors.ts";
import type { VoiceConnection } from "../../ts/voice/connection.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import { type Bench, openBench, tune } from "./bench.ts";

/** Values that are no string, number, object or function of the kind that is wanted. */
const NONSENSE: readonly unknown[] = [
  undefined,
  null,
  5,
  "text",
  true,
  {},
  [],
  Number.NaN,
  () => 0,
];
const key = new Uint8Array(32);
const mode = "aead_aes256_gcm_rtpsize";
const file = { kind: "file", path: tune };

/** A name, and a call with something wrong in it. */
type Mistake = [name: string, call: (bench: Bench, connection: VoiceConnection) => unknown];

const except = (...kinds: string[]): unknown[] =>
  NONSENSE.filter((value) => !kinds.includes(value === null ? "null" : typeof value));

const mistakes: Mistake[] = [
  ...NONSENSE.map(
    (source): Mistake => [`play ${shown(source)}`, (_, { player }) => player.play(source as never)],
  ),
  ...except("string").map(
    (path): Mistake => [
      `play a file at ${shown(path)}`,
      (_, { player }) => player.play({ kind: "file", path } as never),
    ],
  ),
  ["play a file without a name", (_, { player }) => player.play({ kind: "file", path: "" })],
  ["play a path with NUL", (_, { player }) => player.play({ kind: "file", path: "a\0b" })],
  ["play no url", (_, { player }) => player.play({ kind: "http" } as never)],
  ["play an unknown kind", (_, { player }) => player.play({ kind: "tape" } as never)],
  ...NONSENSE.map(
    (provider): Mistake => [
      `play the provider ${shown(provider)}`,
      (_, { player }) => player.play({ kind: "provider", provider } as never),
    ],
  ),
  ...[5, null, undefined, {}].map(
    (frames): Mistake => [
      `play the frames ${shown(frames)}`,
      (_, { player }) => player.play({ kind: "frames", frames } as never),
    ],
  ),
  ...[-1, Number.NaN, Number.POSITIVE_INFINITY, "5", null].map(
    (startMs): Mistake => [
      `begin at ${shown(startMs)}`,
      (_, { player }) => player.play(file as never, { startMs } as never),
    ],
  ),
  ...[-1, 0, 500, Number.NaN, "5"].map(
    (endMs): Mistake => [
      `begin at 500, end at ${shown(endMs)}`,
      (_, { player }) => player.play(file as never, { startMs: 500, endMs } as never),
    ],
  ),
  ...[{ bitrate: 0 }, { bitrate: 1e9 }, { bitrate: "128" }, { complexity: 11 }].map(
    (encoder): Mistake => [
      `encode with ${JSON.stringify(encoder)}`,
      (_, { player }) => player.play(file as never, { encoder } as never),
    ],
  ),
  ...NONSENSE.filter((value) => value !== 5).map(
    (position): Mistake => [
      `seek to ${shown(position)}`,
      (_, { player }) => player.seek(position as never),
    ],
  ),
  ...[-1, 8, 1.5, "1", null].map(
    (flags): Mistake => [
      `speak with ${shown(flags)}`,
      (_, connection) => connection.setSpeaking(flags as never),
    ],
  ),
  ...NONSENSE.slice(1).map(
    (provider): Mistake => [
      `set the provider ${shown(provider)}`,
      (_, connection) => connection.setOpusFrameProvider(provider as never),
    ],
  ),
  ...NONSENSE.slice(1).map(
    (receiver): Mistake => [
      `set the receiver ${shown(receiver)}`,
      (_, connection) => connection.setOpusFrameReceiver(receiver as never),
    ],
  ),
  ...NONSENSE.map(
    (id): Mistake => [
      `a connection for the guild ${shown(id)}`,
      ({ manager }) => manager.connection(id as never),
    ],
  ),
  ...NONSENSE.map(
    (id): Mistake => [
      `a manager for the user ${shown(id)}`,
      () => new VoiceManager({ userId: id as never }),
    ],
  ),
  ["a manager without options", () => new VoiceManager(undefined as never)],
  ...[7, "8", null].map(
    (version): Mistake => [
      `gateway version ${shown(version)}`,
      () => new VoiceManager({ userId: "1", gateway: { version: version as never } }),
    ],
  ),
  ...[0, -5, Number.NaN, "5"].map(
    (connect): Mistake => [
      `a time limit of ${shown(connect)}`,
      () => new VoiceManager({ userId: "1", gateway: { timeouts: { connect: connect as never } } }),
    ],
  ),
  ...NONSENSE.map(
    (credentials): Mistake => [
      `credentials ${shown(credentials)}`,
      (_, connection) => connection.provide(credentials as never),
    ],
  ),
  ...except("object", "function", "undefined", "null").map(
    (frame): Mistake => [`write ${shown(frame)}`, (_, { udp }) => udp.write(frame as never)],
  ),
  ["write a frame that is too long", (_, { udp }) => udp.write(new Uint8Array(1276))],
  ["a session without a mode", (_, { udp }) => udp.setSession({ key } as never)],
  ["a session without a key", (_, { udp }) => udp.setSession({ mode } as never)],
  ["a short key", (_, { udp }) => udp.setSession({ mode, key: key.subarray(1) })],
  ["no session", (_, { udp }) => udp.setSession(undefined as never)],
  ...NONSENSE.map(
    (id): Mistake => [`join ${shown(id)}`, (_, connection) => connection.join(id as never)],
  ),
  ...[0, -1, Number.NaN, "5"].map(
    (timeoutMs): Mistake => [
      `join within ${shown(timeoutMs)}`,
      ({ channelId }, connection) => connection.join(channelId, { timeoutMs: timeoutMs as never }),
    ],
  ),
  ["open a gateway without credentials", (_, { gateway }) => gateway.provide({} as never)],
];

test("every mistake is a CadenzaError, and the sound goes on", async (t) => {
  await using bench = await openBench();
  const { connection } = bench;
  await connection.join(bench.channelId);
  const track = connection.player.play({ kind: "file", path: tune });
  t.true(await bench.hears(5));
  const silent: string[] = [];
  for (const [name, call] of mistakes) {
    const error = await outcome(() => call(bench, connection));
    if (!(error instanceof CadenzaError)) silent.push(`${name}: ${error}`);
    else if (!/^invalid_/.test(error.code)) silent.push(`${name}: ${error.code}`);
  }
  t.deepEqual(silent, []);
  t.true(mistakes.length > 100);
  t.true(await bench.hears(20));
  t.is(connection.player.track, track);
  t.is(connection.status, "ready");
  t.deepEqual([...bench.manager], [connection]);
  t.deepEqual(bench.listener.problems, []);
});

/** What a call throws or rejects with. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return "nothing was thrown";
  } catch (error) {
    return error;
  }
}

function shown(value: unknown): string {
  return typeof value === "string"
    ? `"${value}"`
    : typeof value === "object"
      ? JSON.stringify(value)
      : `${value}`;
}
