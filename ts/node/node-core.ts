/** What a node does apart from listening: sessions, engine, load, admission, metrics, and its way out. */

import { setTimeout as wait } from "node:timers/promises";
import type { EngineLike } from "../native/types.ts";
import type { Logger } from "../support/logger.ts";
import { createEngine } from "../voice/engine.ts";
import { VoiceManager } from "../voice/manager.ts";
import { Admission } from "./admission.ts";
import { AttemptLimit } from "./attempts.ts";
import { ClientSession } from "./client-session.ts";
import type { NodeConfig } from "./config.ts";
import { Dashboard } from "./dashboard/dashboard.ts";
import { Recorder } from "./dashboard/recorder.ts";
import type { Snapshot } from "./dashboard/snapshot.ts";
import type { HttpParts } from "./http.ts";
import { LoadMeter, SAMPLE_INTERVAL_MS } from "./load-meter.ts";
import { NodeMetrics } from "./metrics.ts";
import type { NodePlayer } from "./node-player.ts";
import { OpError } from "./ops/fields.ts";
import type { NodeEvent, Stats } from "./ops/protocol.ts";
import { Players } from "./players.ts";
import { configuredResolvers } from "./resolvers/configured.ts";
import type { Resolver } from "./resolvers/resolver.ts";
import { Resolvers } from "./resolvers/resolvers.ts";
import { Sessions } from "./sessions.ts";
import type { Sources } from "./sources.ts";
import { Tracks } from "./tracks.ts";
import { packageVersion } from "./version.ts";
import type { CallsPort, MakeCalls } from "./voice-port.ts";

/** Milliseconds between two looks at whether something still plays. */
const DRAIN_LOOK_MS = 100;

/** What a node is made of. */
export interface CoreParts {
  config: NodeConfig;
  sources: Sources;
  logger: Logger;
  resolvers: readonly Resolver[];
  processors: number;
  makeCalls: MakeCalls | undefined;
}

/** The inside of a node. */
export class NodeCore implements HttpParts {
  readonly version = packageVersion();
  readonly sessions = new Sessions((userId, ending) => this.#session(userId, ending));
  readonly attempts = new AttemptLimit();
  readonly dashboard: Dashboard;
  readonly hasDashboard: boolean;
  readonly #parts: CoreParts;
  readonly #recorder = new Recorder();
  readonly #tracks: Tracks;
  readonly #admission: Admission;
  readonly #meter: LoadMeter;
  readonly #metrics: NodeMetrics;
  readonly #timers: NodeJS.Timeout[];
  readonly #startedAt = performance.now();
  readonly #closing = new AbortController();
  #engine: EngineLike | undefined;

  constructor(parts: CoreParts) {
    this.#parts = parts;
    const { config, logger, sources, processors } = parts;
    const resolvers = [...parts.resolvers, ...configuredResolvers(config, logger)];
    const timeoutMs = config.resolver_timeout_ms;
    this.#tracks = new Tracks(sources, new Resolvers({ resolvers, timeoutMs, logger }));
    this.#meter = new LoadMeter(processors);
    this.#admission = new Admission({
      maxPlayers: config.max_node_players,
      maxLoad: config.max_load_percent / 100,
      players: () => this.sessions.playerCount,
      load: () => this.#meter.load.total,
    });
    this.#metrics = new NodeMetrics({
      bots: () => this.sessions.size,
      clients: () => this.sessions.connected,
      players: () => this.sessions.players(),
      engine: () => this.#engine?.stats(),
      load: () => this.#meter.load,
      draining: () => this.#admission.draining,
    });
    this.hasDashboard = config.dashboard;
    this.dashboard = new Dashboard({
      password: config.password,
      attempts: this.attempts,
      recorder: this.#recorder,
      summary: () => this.#summary(),
      players: () => this.#owned(),
    });
    this.#timers = [
      setInterval(() => this.#measure(), SAMPLE_INTERVAL_MS),
      setInterval(() => this.#tellStats(), config.stats_interval_ms),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Players that are heard. */
  get playing(): number {
    return [...this.sessions.players()].filter(({ standing }) => standing === "playing").length;
  }

  /** Whether a bot may connect: on the way out only those that have a session. */
  takes(userId: string): boolean {
    return !this.#admission.draining || this.sessions.has(userId);
  }

  /** Why no new player is taken. */
  unready(): string | undefined {
    try {
      this.#admission.player();
      return undefined;
    } catch (error) {
      return error instanceof OpError ? error.code : "internal_error";
    }
  }

  /** The metrics in the text format of Prometheus. */
  metrics(): Promise<string> {
    return this.#metrics.text();
  }

  /** Takes nothing new, tells every client, and waits until nothing is heard any more, or not any longer. */
  async drain(deadlineMs: number): Promise<void> {
    this.#admission.draining = true;
    for (const session of this.sessions) session.tell({ type: "draining", deadline: deadlineMs });
    const until = performance.now() + deadlineMs;
    while (this.playing > 0 && performance.now() < until) {
      await wait(DRAIN_LOOK_MS, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      if (this.#closing.signal.aborted) return;
    }
  }

  /** Ends every session and the engine. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const timer of this.#timers) clearInterval(timer);
    this.dashboard.close();
    await this.sessions.close();
    await this.#engine?.close();
    this.#metrics.close();
  }

  #session(userId: string, ending: (ended: Promise<void>) => void): ClientSession {
    const { config, logger } = this.#parts;
    const makePlayers = (tell: (event: NodeEvent) => void): Players =>
      new Players({
        userId,
        calls: this.#calls(userId),
        tracks: this.#tracks,
        updateIntervalMs: config.player_update_interval_ms,
        maxPlayers: config.max_players,
        admission: this.#admission,
        encoder: { bitrate: config.opus_bitrate, complexity: config.opus_complexity },
        tell,
      });
    return new ClientSession({
      userId,
      makePlayers,
      resumeTimeoutMs: config.resume_timeout_s * 1000,
      logger,
      observe: (event) => {
        this.#metrics.observe(event);
        this.#recorder.observe(userId, event);
      },
      nodeStats: () => this.#stats(),
      ending,
    });
  }

  #calls(userId: string): CallsPort {
    const { config, logger, makeCalls } = this.#parts;
    if (makeCalls) return makeCalls(userId);
    this.#engine ??= createEngine({
      allowPrivateHosts: config.allow_private_hosts,
      stallMs: config.track_stuck_threshold_ms,
      pacers: config.pacers,
      decodeWorkers: config.decode_workers,
    });
    const gateway = { insecureEndpoints: config.insecure_voice_endpoints };
    return new VoiceManager({ userId, engine: this.#engine, gateway, logger });
  }

  #measure(): void {
    const { user, system } = process.cpuUsage();
    const engine = this.#engine?.stats();
    this.#meter.add({ atMs: performance.now(), cpuUs: user + system, engine });
    this.#recorder.add({
      at: Date.now(),
      load: this.#meter.load,
      memory: process.memoryUsage.rss(),
      pacers: engine?.pacers ?? [],
      queues: [...this.sessions.players()].flatMap((player) => {
        const frames = player.queueFrames;
        return frames === undefined ? [] : { player, frames };
      }),
    });
    this.dashboard.tell();
  }

  /** Players with their bots. */
  *#owned(): Generator<[userId: string, player: NodePlayer]> {
    for (const { userId, players } of this.sessions) {
      for (const player of players) yield [userId, player];
    }
  }

  #summary(): Omit<Snapshot, "type" | "rows" | "found" | "samples" | "errors"> {
    const players = { playing: 0, paused: 0, idle: 0 };
    for (const { standing } of this.sessions.players()) players[standing] += 1;
    return {
      version: this.version,
      uptime: Math.round(performance.now() - this.#startedAt),
      unready: this.unready() ?? null,
      bots: this.sessions.size,
      clients: this.sessions.connected,
      players,
    };
  }

  #tellStats(): void {
    for (const session of this.sessions) session.tellStats();
  }

  #stats(): Omit<Stats, "type" | "players" | "playing"> {
    const { total, cores } = this.#meter.load;
    const engine = this.#engine?.stats();
    const pacers = engine?.pacers ?? [];
    const sent = pacers.reduce((sum, pacer) => sum + pacer.sent, 0);
    const late = pacers.reduce((sum, { lateness }) => sum + lateCount(lateness), 0);
    return {
      uptime: Math.round(performance.now() - this.#startedAt),
      node_players: this.sessions.playerCount,
      load: Math.round(total * 1000) / 1000,
      cpu: Math.round(cores * 1000) / 1000,
      complexity: engine?.encoding.complexityCap ?? 10,
      memory: process.memoryUsage.rss(),
      packets_sent: sent,
      packets_late: late,
    };
  }
}

/** Packets that left more than 20 ms after they were due. */
function lateCount({ count, within }: { count: number; within: LatenessClass[] }): number {
  return count - (within.find(({ boundUs }) => boundUs === 20_000)?.count ?? count);
}

interface LatenessClass {
  boundUs: number;
  count: number;
}
