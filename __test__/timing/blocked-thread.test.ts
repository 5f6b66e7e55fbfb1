/** The JavaScript thread stops for two seconds in the middle of a track; the sound does not. */

import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import test, { type ExecutionContext } from "ava";
import { Engine, type Flow } from "../../ts/native/index.ts";
import type { FlowEvent } from "../../ts/native/types.ts";

const tune = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const PERIOD_MS = 20;

interface Arrival {
  sequence: number;
  timestamp: number;
  atMs: number;
}

/** Other programs on the machine disturb a round; a thread that waits for JavaScript spoils all of them. */
const ROUNDS = 3;

test("no packet is more than 20 ms late while the JavaScript thread is blocked for 2 s", async (t) => {
  let late: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    late = await latePackets(t);
    if (late.length === 0) break;
    t.log(`round ${round}: ${late.length} packets late, up to ${Math.max(...late).toFixed(1)} ms`);
  }
  t.deepEqual(late, []);
});

/** Plays, blocks, and returns by how many milliseconds packets were late, those beyond a period only. */
async function latePackets(t: ExecutionContext): Promise<number[]> {
  const receiver = new Worker(new URL("./receiver.mjs", import.meta.url));
  const [{ port }] = (await once(receiver, "message")) as [{ port: number }];
  const engine = new Engine();
  try {
    const flow = playInto(engine, port);
    await until(() => (flow.stats()?.packetsSent ?? 0) > 50);
    const blockedFrom = performance.now();
    while (performance.now() - blockedFrom < 2000) {
      // The point of the test: nothing else runs on this thread.
    }
    await until(() => (flow.stats()?.packetsSent ?? 0) > 200);
    receiver.postMessage("report");
    const [{ arrivals }] = (await once(receiver, "message")) as [{ arrivals: Arrival[] }];
    t.true(arrivals.length >= 195);
    t.true(arrivals.every((packet, at) => at === 0 || packet.sequence === next(arrivals[at - 1])));
    const late = lateness(arrivals);
    t.log(`${arrivals.length} packets, latest ${Math.max(...late).toFixed(2)} ms after its place`);
    return late.filter((ms) => ms > PERIOD_MS);
  } finally {
    await engine.close();
    receiver.postMessage("stop");
    await once(receiver, "exit");
  }
}

function playInto(engine: Engine, port: number): Flow {
  const flow = engine.createFlow((event: FlowEvent) => {
    if (event.type === "discovered") {
      flow.startSession({ mode: "aead_aes256_gcm_rtpsize", key: Buffer.alloc(32, 7) });
    }
  });
  flow.openTransport({ address: "127.0.0.1", port, ssrc: 99, generation: 1 });
  flow.play({ track: 1, source: { kind: "file", path: tune } });
  return flow;
}

function next(packet: Arrival | undefined): number {
  return ((packet?.sequence ?? 0) + 1) & 0xffff;
}

/** Milliseconds of each packet after its place on the best 20 ms grid: the one no packet is early for. */
function lateness(arrivals: Arrival[]): number[] {
  const first = arrivals[0]?.timestamp ?? 0;
  const offsets = arrivals.map(
    ({ atMs, timestamp }) => atMs - (((timestamp - first) >>> 0) / 960) * PERIOD_MS,
  );
  const best = Math.min(...offsets);
  return offsets.map((offset) => offset - best);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}
