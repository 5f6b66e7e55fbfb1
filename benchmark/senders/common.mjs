// What the senders that run in Node share: their configuration, lines to and from the harness, a blocked thread.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** What the harness asks for. */
export const config = JSON.parse(process.argv[2]);

const listeners = new Map();
createInterface({ input: process.stdin })
  .on("line", (line) => listeners.get(line)?.())
  .on("close", () => process.exit(0));

/** Says a line to the harness. */
export function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Does something at each line of this text; resolves at the first. */
export function on(text, work = () => undefined) {
  return new Promise((resolve) => {
    listeners.set(text, () => {
      work();
      resolve();
    });
  });
}

/** Says that everything is loaded and no call made, and waits for the word to go on. */
export async function loaded() {
  const go = on("go");
  say({ loaded: true });
  await go;
  on("block often", () => setInterval(() => block(100), 1000));
  on("block once", () => block(2000));
}

/** Keeps the JavaScript thread busy. */
function block(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Does something for every call, some at a time. */
export async function forEachCall(work, atOnce = 50) {
  let next = 1;
  const worker = async () => {
    while (next <= config.calls) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** The frames that everybody plays. */
export function readFrames() {
  const file = readFileSync(config.frames);
  const frames = [];
  for (let at = 0; at + 2 <= file.length; ) {
    const length = file.readUInt16LE(at);
    frames.push(file.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return frames;
}

/** The transport key of a call. */
export function keyOf(ssrc) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(ssrc);
  return Buffer.from(Array.from({ length: 32 }, (_, at) => bytes[at % 4] ^ ((at * 37) & 0xff)));
}

/** Now, in nanoseconds of the real-time clock, which stamps packets as well. */
export function nowNs() {
  return Math.round((performance.timeOrigin + performance.now()) * 1e6);
}

/** What a main gateway would have told about a call. */
export function credentialsOf(call) {
  return {
    guildId: String(call),
    channelId: String(1_000_000 + call),
    userId: "99999999",
    sessionId: `session-${call}`,
    token: `token-${call}`,
    endpoint: config.endpoint,
  };
}
