/** Plays into many calls on this machine and measures what they cost and how late they are. */

import { Engine, type Flow } from "../../native/index.ts";
import { CadenzaError } from "../../support/errors.ts";
import { TestMedia } from "./media.ts";
import { Sink } from "./sink.ts";

/** What is measured. */
export interface SelfTestOptions {
  /** Calls that play Opus as it is. */
  passthrough: number;
  /** Calls that encode. */
  transcoding: number;
  /** Seconds for each of the two. */
  seconds: number;
  /** Told what is being done. */
  onPhase?: (what: string) => void;
}

/** What one kind of calls was like. */
export interface Measurement {
  calls: number;
  packets: number;
  /** Packets that left more than 20 ms after they were due. */
  late: number;
  /** Milliseconds after they were due. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Microseconds of processor time per call and second, the system's part included. */
  cpuUsPerCallSecond: number;
  /** Share of its time that the busiest sending thread worked. */
  pacerLoad: number;
}

/** What came of it; a kind with no calls is not there. */
export interface SelfTestReport {
  passthrough: Measurement | undefined;
  transcoding: Measurement | undefined;
}

/** Milliseconds for the calls to begin, before anything is counted. */
const SETTLE_MS = 1000;
/** Milliseconds for all calls to open. */
const OPEN_TIMEOUT_MS = 20_000;
/** How long the files are, in seconds, beyond what is measured. */
const SPARE_SECONDS = 10;
/** Share of a thread or machine that is planned with; the rest is for what nobody planned. */
const PLANNED_SHARE = 0.7;

/** Runs both kinds, one after the other. */
export async function runSelfTest(options: SelfTestOptions): Promise<SelfTestReport> {
  const { passthrough, transcoding, seconds, onPhase = () => undefined } = options;
  await using sink = await Sink.start();
  await using media = await TestMedia.make(Math.ceil(seconds) + SPARE_SECONDS);
  const run = async (calls: number, path: string): Promise<Measurement | undefined> =>
    calls === 0 ? undefined : await measure(sink.port, calls, path, seconds);
  onPhase(`${passthrough} calls that pass Opus through, ${seconds} s`);
  const passed = await run(passthrough, media.opus);
  onPhase(`${transcoding} calls that encode, ${seconds} s`);
  return { passthrough: passed, transcoding: await run(transcoding, media.wav) };
}

/** How many calls of a kind this machine carries, by what was measured: never beyond what a thread or the machine has. */
export function capacity(measured: Measurement, cores: number): number {
  const byMachine = (cores * 1e6 * PLANNED_SHARE) / Math.max(1, measured.cpuUsPerCallSecond);
  const load = Math.max(measured.pacerLoad, 0.001);
  const byPacer = (measured.calls * PLANNED_SHARE) / load;
  return Math.floor(Math.min(byMachine, byPacer));
}

async function measure(
  port: number,
  calls: number,
  path: string,
  seconds: number,
): Promise<Measurement> {
  const engine = new Engine();
  try {
    const ssrcs = Array.from({ length: calls }, (_, at) => at + 1);
    const flows = await Promise.all(ssrcs.map((ssrc) => open(engine, port, ssrc)));
    for (const flow of flows) flow.play({ track: 1, source: { kind: "file", path } });
    await pause(SETTLE_MS);
    const before = counts(flows);
    const cpu = process.cpuUsage();
    await pause(seconds * 1000);
    const used = process.cpuUsage(cpu);
    const after = counts(flows);
    const pacers = engine.stats().pacers;
    const worst = pacers.reduce((a, b) => (b.lateness.p99Us > a.lateness.p99Us ? b : a));
    return {
      calls,
      packets: after.packets - before.packets,
      late: after.late - before.late,
      p50Ms: worst.lateness.p50Us / 1000,
      p99Ms: worst.lateness.p99Us / 1000,
      maxMs: Math.max(...pacers.map(({ lateness }) => lateness.maxUs)) / 1000,
      cpuUsPerCallSecond: (used.user + used.system) / calls / seconds,
      pacerLoad: Math.max(...pacers.map(({ loadPermille }) => loadPermille)) / 1000,
    };
  } finally {
    await engine.close();
  }
}

function counts(flows: readonly Flow[]): { packets: number; late: number } {
  const stats = flows.map((flow) => flow.stats());
  return {
    packets: stats.reduce((sum, one) => sum + (one?.packetsSent ?? 0), 0),
    late: stats.reduce((sum, one) => sum + (one?.packetsLate ?? 0), 0),
  };
}

function open(engine: Engine, port: number, ssrc: number): Promise<Flow> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new CadenzaError("transport_failed", `UDP on this machine does not work: ${why}.`));
    const timer = setTimeout(() => fail("no answer"), OPEN_TIMEOUT_MS);
    const flow = engine.createFlow((event) => {
      if (event.type === "discovery_failed") fail(event.reason);
      if (event.type === "transport_failed") fail(event.message);
      if (event.type !== "discovered") return;
      clearTimeout(timer);
      flow.startSession({ mode: "aead_aes256_gcm_rtpsize", key: new Uint8Array(32).fill(ssrc) });
      resolve(flow);
    });
    flow.openTransport({ address: "127.0.0.1", port, ssrc, generation: 1 });
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
