/** What the node counts and measures, as Prometheus reads it. */

import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Registry } from "prom-client";
import type { EngineStats } from "../native/types.ts";
import { latenessHistogram } from "./lateness-histogram.ts";
import type { Load } from "./load-meter.ts";
import type { NodePlayer } from "./node-player.ts";
import type { NodeEvent } from "./ops/protocol.ts";
import { OP_NAMES } from "./ops/table.ts";
import { threadSeconds } from "./thread-seconds.ts";

/** What is measured when somebody asks. */
export interface MetricsParts {
  bots: () => number;
  clients: () => number;
  players: () => Iterable<NodePlayer>;
  engine: () => EngineStats | undefined;
  load: () => Load;
  draining: () => boolean;
}

/** Milliseconds between two looks at the event loop. */
const LOOP_RESOLUTION_MS = 20;

/** The metrics of one node. */
export class NodeMetrics {
  readonly #parts: MetricsParts;
  readonly #registry = new Registry();
  readonly #loop: IntervalHistogram;
  readonly #errors: Counter<"kind" | "code">;
  readonly #ops: Counter<"op" | "outcome">;

  constructor(parts: MetricsParts) {
    this.#parts = parts;
    const registers = [this.#registry];
    this.#errors = new Counter({
      name: "cadenza_errors_total",
      help: "Errors told to clients: of ops, of tracks and of voice connections.",
      labelNames: ["kind", "code"],
      registers,
    });
    this.#ops = new Counter({
      name: "cadenza_ops_total",
      help: "Ops answered.",
      labelNames: ["op", "outcome"],
      registers,
    });
    this.#loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    this.#loop.enable();
    this.#addNode();
    this.#addPlayers();
    this.#addEngine();
    this.#addEncoding();
    this.#addProcess();
  }

  /** Counts an event that is told to a client. */
  observe(event: NodeEvent): void {
    switch (event.type) {
      case "done":
        return this.#ops.inc({ op: event.op, outcome: "done" });
      case "error":
        this.#errors.inc({ kind: "op", code: event.code });
        return this.#ops.inc({ op: knownOp(event.op), outcome: "error" });
      case "track_error":
        return this.#errors.inc({ kind: "track", code: event.code });
      case "voice_state":
        if (event.code !== undefined) this.#errors.inc({ kind: "voice", code: event.code });
        return;
    }
  }

  /** All of them in the text format. */
  async text(): Promise<string> {
    const lateness = latenessHistogram(this.#parts.engine()?.pacers ?? []);
    return `${await this.#registry.metrics()}\n${lateness}`;
  }

  /** Stops measuring. */
  close(): void {
    this.#loop.disable();
  }

  #addNode(): void {
    const { bots, clients, load, draining } = this.#parts;
    this.#gauge("cadenza_bots", "Bots with a session.", bots);
    this.#gauge("cadenza_clients", "Bots that are connected.", clients);
    this.#gauge("cadenza_draining", "1 while the node is on its way out.", () => +draining());
    this.#labelled("cadenza_load_ratio", "Share of what this machine carries.", "of", () => {
      const { total, pacer, decoding, processor } = load();
      return { total, pacer, decoding, processor };
    });
  }

  #addPlayers(): void {
    this.#labelled("cadenza_players", "Players.", "state", () => {
      const states = { playing: 0, paused: 0, idle: 0 };
      for (const { standing } of this.#parts.players()) states[standing] += 1;
      return states;
    });
    this.#gauge("cadenza_calls_ready", "Voice connections that can carry sound.", () => {
      return [...this.#parts.players()].filter((player) => player.connected).length;
    });
    const help = "Frames of 20 ms that wait ahead of players that play.";
    this.#labelled("cadenza_queue_frames", help, "quantile", () => {
      const depths = [...this.#parts.players()].flatMap((player) => player.queueFrames ?? []);
      depths.sort((a, b) => a - b);
      const at = (share: number): number => depths[Math.floor((depths.length - 1) * share)] ?? 0;
      return { "0": at(0), "0.01": at(0.01), "0.5": at(0.5), "1": at(1) };
    });
  }

  #addEngine(): void {
    const { engine } = this.#parts;
    const sum = (of: (pacer: EngineStats["pacers"][number]) => number) => () =>
      (engine()?.pacers ?? []).reduce((total, pacer) => total + of(pacer), 0);
    this.#counter(
      "cadenza_packets_sent_total",
      "RTP packets handed to the system.",
      sum(({ sent }) => sent),
    );
    this.#counter(
      "cadenza_periods_skipped_total",
      "Periods of 20 ms in which a player should have sent and did not.",
      sum(({ skipped }) => skipped),
    );
    this.#counter(
      "cadenza_engine_events_dropped_total",
      "Events of the engine that were lost because the event loop stood still.",
      () => engine()?.eventsDropped ?? 0,
    );
    this.#labelled("cadenza_pacer_busy_ratio", "Share of time a pacer works.", "pacer", () => {
      const pacers = engine()?.pacers ?? [];
      return Object.fromEntries(pacers.map((pacer, at) => [at, pacer.loadPermille / 1000]));
    });
  }

  #addEncoding(): void {
    const { engine } = this.#parts;
    this.#gauge(
      "cadenza_encoder_complexity",
      "The effort that encoders may take at present, 0 to 10.",
      () => engine()?.encoding.complexityCap ?? 10,
    );
    this.#counter(
      "cadenza_encoder_lowered_total",
      "Times that the encoders' effort was lowered because of load.",
      () => engine()?.encoding.lowered ?? 0,
    );
    const help =
      "Processor time of the engine's threads: decoding and encoding, sending, fetching.";
    this.#labelled("cadenza_thread_seconds_total", help, "work", threadSeconds);
  }

  #addProcess(): void {
    this.#counter("process_cpu_seconds_total", "Processor time used.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    this.#gauge("process_resident_memory_bytes", "Memory held.", () => process.memoryUsage.rss());
    this.#gauge("process_start_time_seconds", "Start, in seconds since 1970.", () =>
      Math.round(performance.timeOrigin / 1000),
    );
    const help = "How much later than due the event loop came round, since the last look.";
    this.#labelled("nodejs_eventloop_lag_seconds", help, "quantile", () => {
      const lag = (share: number): number =>
        Math.max(0, this.#loop.percentile(share) / 1e9 - LOOP_RESOLUTION_MS / 1000);
      const found = { "0.5": lag(50), "0.99": lag(99), "1": lag(100) };
      this.#loop.reset();
      return found;
    });
  }

  #gauge(name: string, help: string, value: () => number): void {
    const collect = function (this: Gauge): void {
      this.set(value());
    };
    new Gauge({ name, help, registers: [this.#registry], collect });
  }

  #labelled(name: string, help: string, label: string, values: () => Record<string, number>): void {
    const collect = function (this: Gauge): void {
      this.reset();
      for (const [key, value] of Object.entries(values())) this.set({ [label]: key }, value);
    };
    new Gauge({ name, help, labelNames: [label], registers: [this.#registry], collect });
  }

  /** A counter that somebody else counts. */
  #counter(name: string, help: string, value: () => number): void {
    const collect = function (this: Counter): void {
      this.reset();
      this.inc(value());
    };
    new Counter({ name, help, registers: [this.#registry], collect });
  }
}

/** What a client calls an op is no label: there would be no end of them. */
function knownOp(op: string | undefined): string {
  return op !== undefined && OP_NAMES.includes(op) ? op : "unknown";
}
