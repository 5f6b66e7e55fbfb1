/**
 * A recording in real time over a bad link: a simulated member speaks for `--minutes` (default 10) with 2 % of its packets
 * lost and 30 ms of jitter, and the recording must be as long as what was sent, to within 20 ms.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator, toneFrames } from "../../ts/simulator/index.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const count = Math.round(Number(values.minutes) * 60 * 50);
const TAIL_FRAMES = 5;
const TOLERANCE_MS = 20;
const room = { guildId: "41771983423143937", channelId: "127121515262115840" };

await using simulator = await DiscordSimulator.start({ tls: false, seed: 3 });
await using engine = new Engine();
const gateway = { insecureEndpoints: true };
await using manager = new VoiceManager({ userId: "104694319306248192", engine, gateway });
const member = simulator.member({ ...room, firstSequence: 0 });
const connection = manager.connection(room.guildId);
const ready = new Promise<void>((resolve) => {
  connection.on("stateChange", (status) => status === "ready" && resolve());
});
connection.provide(simulator.admit({ ...room, userId: "104694319306248192" }));
await ready;
const folder = await mkdtemp(join(tmpdir(), "cadenza-recording-"));
const path = join(folder, "member.wav");
const recording = connection.receiver.record({ userId: member.userId, path, format: "wav" });
let sent = 0;
Object.assign(simulator.faults.link, {
  lossShare: 0.02,
  delayMs: 20,
  jitterMs: 30,
  // The first and the last packet say how long it was.
  decide: () => (sent <= 1 || sent > count + TAIL_FRAMES - 1 ? "pass" : undefined),
});
const tones = toneFrames({ seconds: 10 });
await member.speak(frames());
await new Promise((resolve) => setTimeout(resolve, 1000));
const [file] = await recording.stop();
const { received } = connection.statistics();
const sentMs = (count + TAIL_FRAMES) * 20;
const offMs = (file?.durationMs ?? 0) - sentMs;
process.stdout.write(
  `${sentMs} ms sent, ${file?.durationMs} ms recorded: ${offMs} ms off\n` +
    `${received.lost} of ${received.lost + received.packets} packets lost, jitter ${received.jitterMs.toFixed(1)} ms, ` +
    `${received.concealedMs} ms extrapolated\n`,
);
await rm(folder, { recursive: true });
process.exitCode = Math.abs(offMs) <= TOLERANCE_MS ? 0 : 1;

/** What the member says. */
function* frames(): Generator<Buffer> {
  for (; sent < count; sent++) yield tones[sent % tones.length] ?? Buffer.alloc(0);
  sent = count + TAIL_FRAMES;
}
