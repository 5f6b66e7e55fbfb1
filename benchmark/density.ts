// Many calls in one process: does each keep its 50.0 packets a second, how late are they, what does a packet cost?
//
// `npm run bench -- --calls 500 --seconds 10`. The receiver (sink.mjs) is a process of its own. The baseline in the same
// run is a plain Node loop: one timer, node:crypto AES-256-GCM, one dgram socket a call.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Engine, type Flow } from "../ts/native/index.ts";
import { plainNodeLoop } from "./plain-node.ts";

interface CallReport {
  ssrc: number;
  packets: number;
  first: number;
  last: number;
  lost: number;
}

interface Run {
  name: string;
  calls: CallReport[];
  cpuMicrosPerPacket: number;
  note: string;
}

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "500" },
    seconds: { type: "string", default: "10" },
    "no-baseline": { type: "boolean", default: false },
  },
});
const callCount = Number(values.calls);
const seconds = Number(values.seconds);
const frame = Buffer.alloc(240, 0x5a);
frame[0] = 0xfc; // CELT fullband, 20 ms, stereo, one frame.

const runs = [await withSink("cadenza", runCadenza)];
if (!values["no-baseline"]) runs.push(await withSink("plain Node loop", runPlainNode));
report(runs);
process.exit(runs[0]?.calls.length === callCount && worstRate(runs[0]) > 49.8 ? 0 : 1);

async function withSink(
  name: string,
  sender: (port: number, sink: ChildProcess) => Promise<Run>,
): Promise<Run> {
  process.stderr.write(`${name}: ${callCount} calls for ${seconds} s…\n`);
  const sink = fork(new URL("./sink.mjs", import.meta.url), { execArgv: [] });
  const [{ port }] = (await once(sink, "message")) as [{ port: number }];
  const run = await sender(port, sink);
  sink.send("stop");
  await once(sink, "exit");
  return { ...run, name };
}

async function runCadenza(port: number, sink: ChildProcess): Promise<Run> {
  const engine = new Engine({ pacers: 1 });
  const flows: Flow[] = [];
  for (let ssrc = 1; ssrc <= callCount; ssrc++) flows.push(await openFlow(engine, port, ssrc));
  const refill = (): void => {
    for (const flow of flows)
      flow.pushFrames([frame, frame, frame, frame, frame, frame, frame, frame, frame, frame]);
  };
  refill();
  const timer = setInterval(refill, 100);
  const measured = await measure(sink);
  clearInterval(timer);
  const [pacer] = engine.stats().pacers;
  await engine.close();
  const late = pacer?.lateness;
  const note = late
    ? `lateness p50 ${late.p50Us} µs, p99 ${late.p99Us} µs, max ${late.maxUs} µs`
    : "";
  return { name: "", note, ...measured };
}

async function openFlow(engine: Engine, port: number, ssrc: number): Promise<Flow> {
  return new Promise((resolve, reject) => {
    const flow = engine.createFlow((event) => {
      if (event.type === "discovery_failed") reject(new Error(event.reason));
      if (event.type !== "discovered") return;
      flow.startSession({ mode: "aead_aes256_gcm_rtpsize", key: Buffer.alloc(32, ssrc) });
      resolve(flow);
    });
    flow.openTransport({ address: "127.0.0.1", port, ssrc, generation: 1 });
  });
}

async function runPlainNode(port: number, sink: ChildProcess): Promise<Run> {
  const stop = plainNodeLoop({
    ports: [port],
    calls: callCount,
    frames: [frame],
    keyOf: (ssrc) => Buffer.alloc(32, ssrc),
  });
  const measured = await measure(sink);
  stop();
  return { name: "", note: "", ...measured };
}

/** One second to settle, then counts; CPU is this process's own, system time included. */
async function measure(
  sink: ChildProcess,
): Promise<{ calls: CallReport[]; cpuMicrosPerPacket: number }> {
  await pause(1000);
  sink.send("start");
  const before = process.cpuUsage();
  await pause(seconds * 1000);
  const used = process.cpuUsage(before);
  sink.send("report");
  const [{ calls }] = (await once(sink, "message")) as [{ calls: CallReport[] }];
  const packets = calls.reduce((sum, call) => sum + call.packets, 0);
  return { calls, cpuMicrosPerPacket: (used.user + used.system) / Math.max(1, packets) };
}

function report(results: Run[]): void {
  const base = results[1]?.cpuMicrosPerPacket;
  const lines = results.map((run) => {
    const rates = run.calls.map(rate).sort((a, b) => a - b);
    const at = (share: number): string =>
      (rates[Math.floor((rates.length - 1) * share)] ?? 0).toFixed(2);
    const lost = run.calls.reduce((sum, call) => sum + call.lost, 0);
    const ratio = base
      ? ` (${(run.cpuMicrosPerPacket / base).toFixed(2)} of the plain Node loop)`
      : "";
    return [
      `${run.name}: ${run.calls.length} of ${callCount} calls heard, ${lost} packets lost`,
      `  packets/s per call: min ${at(0)}, median ${at(0.5)}, max ${at(1)}`,
      `  CPU per packet: ${run.cpuMicrosPerPacket.toFixed(2)} µs${ratio}`,
      ...(run.note ? [`  ${run.note}`] : []),
    ].join("\n");
  });
  process.stdout.write(
    `${lines.join("\n")}\nload average at the end: ${loadavg()[0]?.toFixed(2)}\n`,
  );
}

function rate(call: CallReport): number {
  return ((call.packets - 1) * 1000) / Math.max(1, call.last - call.first);
}

function worstRate(run: Run | undefined): number {
  return Math.min(...(run?.calls.map(rate) ?? [0]));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
