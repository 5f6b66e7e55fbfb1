/** The stage on which every sender plays: receiver, gateway and files, set up once, and one measurement at a time. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SenderConfig } from "../senders/common.mjs";
import { Child } from "./child.ts";
import { type Contender, certificateFile } from "./contenders.ts";
import type { Fixture } from "./fixture.ts";
import { residentBytes, Stretch } from "./proc.ts";
import { type Histogram, lateShare } from "./statistics.ts";

/** Ports that the receiver binds; calls spread over them. */
const PORTS = 64;
/** Time for all calls of a sender to be made, in milliseconds. */
const JOIN_TIMEOUT_MS = 180_000;
/** Sounding calls settle for so long before anything counts, in milliseconds. */
const SETTLE_MS = 1000;

/** What is asked of a sender. */
export interface Act {
  contender: Contender;
  calls: number;
  seconds: number;
  work?: SenderConfig["work"];
  /** A line for the sender as the measurement begins. */
  prompt?: string;
  /** More for the sender's configuration. */
  extra?: Partial<SenderConfig>;
}

/** What one round showed. */
export interface Measurement {
  sender: string;
  calls: number;
  seconds: number;
  flows: number;
  packets: number;
  lost: number;
  opened: number;
  unopened: number;
  /** Opened packets that were none of the frames. */
  unknown: number;
  /** Share of packets more than 20 ms late or missing, 0 to 1. */
  lateShare: number;
  p50Us: number;
  p99Us: number;
  p999Us: number;
  maxUs: number;
  rateMedian: number;
  histogram: Histogram;
  cpuUsPerPacket: number;
  /** Cores that the sender used. */
  cores: number;
  /** CPU time of the sender's threads by name, in nanoseconds. */
  threads: Record<string, number>;
  /** Resident bytes after loading, before any call. */
  loadedBytes: number;
  /** Resident bytes at the end of the measurement. */
  residentBytes: number;
  /** From the start of joining until every call was made, in milliseconds. */
  joinMs: number;
  load: { othersCores: number; stolenCores: number };
}

/** Receiver and gateway, ready for senders. */
export class Stage {
  readonly #receivers: { sealed: Child; bare: Child };
  readonly #gateway: Child;
  readonly #base: Omit<SenderConfig, "calls" | "work">;
  readonly #ports: { sealed: number[]; bare: number[] };

  private constructor(
    receivers: { sealed: Child; bare: Child },
    gateway: Child,
    ports: { sealed: number[]; bare: number[] },
    base: Omit<SenderConfig, "calls" | "work">,
  ) {
    this.#receivers = receivers;
    this.#gateway = gateway;
    this.#ports = ports;
    this.#base = base;
  }

  /** Starts both programs. With `tls` the gateway speaks wss, as Discord's. */
  static async open(root: string, fixture: Fixture, tls = true): Promise<Stage> {
    const command = join(root, "target/release/receiver");
    const sealed = new Child("receiver", { command, args: [String(PORTS), fixture.frames] });
    const bare = new Child("receiver", { command, args: [String(PORTS)] });
    const ports = {
      sealed: (await sealed.until("ports")).ports as number[],
      bare: (await bare.until("ports")).ports as number[],
    };
    const server = join(root, "benchmark/harness/gateway-server.ts");
    const gateway = new Child("gateway", {
      command: process.execPath,
      args: [
        "--import",
        import.meta.resolve("tsx"),
        server,
        JSON.stringify({ ports: ports.sealed, tls }),
      ],
    });
    const { port, certificate } = await gateway.until("port");
    const { frames, ogg, wav } = fixture;
    writeFileSync(certificateFile(fixture), String(certificate));
    return new Stage({ sealed, bare }, gateway, ports, {
      endpoint: `127.0.0.1:${port}`,
      certificate: String(certificate),
      ports: ports.sealed,
      frames,
      ogg,
      wav,
    });
  }

  /** Starts a sender and lets it make its calls, runs `work` with it, and ends it. */
  async with<T>(act: Act, work: (player: Playing) => Promise<T>): Promise<T> {
    const { contender, calls, extra = {} } = act;
    const kind = contender.sealed ? "sealed" : "bare";
    const config: SenderConfig = {
      ...this.#base,
      ...extra,
      ports: this.#ports[kind],
      calls,
      work: act.work ?? "play",
    };
    const sender = new Child(contender.name, contender.program(config));
    try {
      await sender.until("loaded", 60_000);
      const loadedBytes = residentBytes(sender.pid);
      const began = performance.now();
      sender.say("go");
      await sender.until("ready", JOIN_TIMEOUT_MS);
      const joinMs = performance.now() - began;
      return await work({ sender, receiver: this.#receivers[kind], loadedBytes, joinMs });
    } finally {
      await sender.stop();
    }
  }

  /** One round of a sender: starts it, lets it settle, measures, ends it. */
  async measure(act: Act): Promise<Measurement> {
    return this.with(act, async (playing) => {
      await pause(SETTLE_MS);
      return this.listen(act, playing);
    });
  }

  /** Measures a sender that plays already. */
  async listen(act: Act, { sender, receiver, loadedBytes, joinMs }: Playing): Promise<Measurement> {
    if (act.prompt) sender.say(act.prompt);
    const watched = [sender.pid, this.#gateway.pid];
    const pids = [...watched, this.#receivers.sealed.pid, this.#receivers.bare.pid];
    await receiver.ask("start");
    const stretch = new Stretch(pids);
    await pause(act.seconds * 1000);
    const used = stretch.end();
    const heard = await receiver.ask("report", 60_000);
    const packets = Number(heard.packets);
    return {
      sender: act.contender.name,
      calls: act.calls,
      seconds: act.seconds,
      ...(heard as unknown as Heard),
      lateShare: lateShare({ ...act, packets, late: Number(heard.late) }),
      cpuUsPerPacket: used.cpuNs / 1000 / Math.max(1, packets),
      cores: used.cpuNs / used.ns,
      threads: used.threads,
      loadedBytes,
      residentBytes: residentBytes(sender.pid),
      joinMs,
      load: used.load,
    };
  }

  /** Where the gateway listens: host and port. */
  get endpoint(): string {
    return this.#base.endpoint;
  }

  /** CPU time and memory of the gateway belong to no sender. */
  get gatewayPid(): number {
    return this.#gateway.pid;
  }

  /** Ends both programs. */
  async close(): Promise<void> {
    const { sealed, bare } = this.#receivers;
    await Promise.all([sealed.stop(), bare.stop(), this.#gateway.stop()]);
  }
}

/** A sender on the stage. */
export interface Playing {
  sender: Child;
  receiver: Child;
  loadedBytes: number;
  joinMs: number;
}

type Heard = Pick<
  Measurement,
  | "flows"
  | "packets"
  | "lost"
  | "opened"
  | "unopened"
  | "unknown"
  | "p50Us"
  | "p99Us"
  | "p999Us"
  | "maxUs"
  | "rateMedian"
  | "histogram"
>;

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
