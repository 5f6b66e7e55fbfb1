/** What a hostile server could send: frames that no client may trip over, and datagrams of absurd lengths. */

import { VoiceOpcode } from "../gateway/opcodes.ts";
import type { SeededRandom } from "./random.ts";

/** Values that are wrong as the data of almost every message. */
const WRONG_DATA: readonly unknown[] = [
  null,
  0,
  -1,
  "text",
  true,
  [],
  {},
  [[[[]]]],
  { ssrc: "1", ip: 1, port: "x", modes: "y", user_id: 1, user_ids: "z", v: [], t: {} },
  { ssrc: -1, ip: "", port: 65_536, modes: [1, null], secret_key: "key", mode: 3 },
  { ssrc: 1e300, ip: "999.1.1.1", port: 0.5, modes: [], secret_key: [256, -1], mode: "" },
  { user_ids: [1, null, {}], user_id: "", speaking: {}, heartbeat_interval: "soon" },
  { user_id: "9".repeat(400), ssrc: 2 ** 53, speaking: -1, heartbeat_interval: -1 },
  { transition_id: 70_000, protocol_version: -1, epoch: "one" },
];
const NOT_JSON: readonly string[] = [
  "",
  "{",
  "nonsense",
  "\u0000",
  '{"op":',
  "NaN",
  `${"[".repeat(5000)}`,
  '{"op":4,"d":{"__proto__":{"mode":"x"}}}',
];
const NO_ENVELOPE: readonly unknown[] = [
  null,
  1,
  "op",
  [],
  {},
  { op: null },
  { op: "4", d: {} },
  { op: -1, d: null },
  { op: 1.5, d: null },
  { op: 1e12, d: null },
  { op: 6 },
  { op: 6, d: { t: 1 }, seq: "7" },
  { op: 6, d: { t: 1 }, seq: -5 },
  { op: 6, d: { t: 1 }, seq: 1e9 },
];
/** With these a client would have to end the connection or to identify anew, whatever their data. */
const UNSENT = new Set<number>([VoiceOpcode.Hello]);

/** Text and binary frames that are wrong in many ways, each of which a client has to survive or close cleanly. */
export function hostileFrames(): (string | Buffer)[] {
  const ops = Object.values(VoiceOpcode).filter((op) => !UNSENT.has(op));
  const bodies = ops.flatMap((op) => WRONG_DATA.map((d) => JSON.stringify({ op, d })));
  const binary = ops.flatMap((op) => [
    Buffer.of(0, 0, op),
    Buffer.of(0, 0, op, 0xff),
    Buffer.of(0xff, 0xff, op, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    Buffer.concat([Buffer.of(0, 0, op), Buffer.alloc(300, 0x41)]),
  ]);
  const short = [[], [0], [0, 0]].map((bytes) => Buffer.from(bytes));
  const envelopes = NO_ENVELOPE.map((frame) => JSON.stringify(frame));
  return [...NOT_JSON, ...envelopes, ...bodies, ...short, ...binary];
}

/** Lengths at which parsers stumble, in bytes; the last is the largest that UDP carries over IPv4. */
export const ABSURD_LENGTHS: readonly number[] = [
  ...[0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 15, 16, 19, 20, 27, 28, 31, 32, 43, 44, 69, 70, 73, 74, 75],
  ...[1199, 1472, 1500, 4096, 9000, 65_507],
];

/** Datagrams of absurd lengths: all zeros, noise, and noise that begins like audio of a known SSRC. */
export function garbageDatagrams(random: SeededRandom, ssrc: number): Buffer[] {
  return ABSURD_LENGTHS.flatMap((length) => {
    const likeAudio = random.bytes(length);
    const head = Buffer.from([0x80 | random.below(64), 0x78, 0, 1, 0, 0, 0, 1]);
    head.copy(likeAudio);
    if (length >= 12) likeAudio.writeUInt32BE(ssrc, 8);
    return [Buffer.alloc(length), random.bytes(length), likeAudio];
  });
}

/** A text frame with keys that no client knows; one that is no message stays as it is. */
export function withExtraKeys(text: string): string {
  try {
    const { op, d, ...rest } = JSON.parse(text) as { op: number; d: unknown };
    const isObject = typeof d === "object" && d !== null && !Array.isArray(d);
    const data = isObject ? { _trace: ["here"], ...d, extra: { deep: [1] } } : d;
    return JSON.stringify({ _extra: null, op, d: data, ...rest });
  } catch {
    return text;
  }
}
