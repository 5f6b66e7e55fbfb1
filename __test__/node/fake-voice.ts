/** A voice library for tests of the node: records what it is asked and reports what it is told. */

import type { GatewayStatus, Reason } from "../../ts/gateway/index.ts";
import type { FilterSettings } from "../../ts/native/filters.ts";
import type { PushRequest } from "../../ts/native/push.ts";
import type {
  FlowLike,
  FlowStats,
  PlayRequest,
  StreamMetadata,
  TrackInfo,
} from "../../ts/native/types.ts";
import type { CallPort, CallsPort } from "../../ts/node/index.ts";
import { SafeEmitter } from "../../ts/support/emitter.ts";
import type { ConnectionEvents } from "../../ts/voice/connection.ts";
import { Player } from "../../ts/voice/player.ts";

/** What a fake track reports when it starts. */
export const TRACK_INFO: TrackInfo = {
  container: "ogg",
  codec: "opus",
  passthrough: true,
  durationMs: 244_000,
  sampleRate: 48_000,
  channels: 2,
};

/** A flow without sound. */
export class FakeFlow implements FlowLike {
  readonly plays: PlayRequest[] = [];
  readonly seeks: number[] = [];
  readonly filters: (FilterSettings | undefined)[] = [];
  readonly volumes: number[] = [];
  readonly pushes: PushRequest[] = [];
  readonly pushed: Buffer[] = [];
  /** Frames, or bytes of samples, that are taken. */
  room = 0;
  paused = false;
  positionMs = 0;
  playing: number | undefined;
  emit: (event: Parameters<Player["handle"]>[0]) => void = () => undefined;

  openTransport(): void {}
  startSession(): void {}
  closeTransport(): void {}
  close(): void {}
  daveOpen(): void {}
  daveMessage(): void {}
  daveMembers(): void {}
  daveClose(): void {}
  daveStatus(): undefined {}
  verificationCode(): Promise<string> {
    return Promise.resolve("");
  }

  addresses(): undefined {
    return undefined;
  }

  play(request: PlayRequest): void {
    const before = this.playing;
    this.plays.push(request);
    this.playing = request.track;
    this.positionMs = request.startMs ?? 0;
    if (before !== undefined) this.emit({ type: "track_ended", track: before, reason: "replaced" });
  }

  /** The first frame of what plays is out. */
  start(info: TrackInfo = TRACK_INFO): void {
    if (this.playing !== undefined) {
      this.emit({ type: "track_started", track: this.playing, info });
    }
  }

  /** What plays has come to its end. */
  finish(): void {
    this.#end("finished");
  }

  /** What plays cannot be played. */
  fail(code: string, message: string): void {
    const track = this.playing;
    this.playing = undefined;
    if (track !== undefined) this.emit({ type: "track_failed", track, code, message });
  }

  /** What plays brings nothing. */
  stall(forMs: number): void {
    if (this.playing !== undefined) {
      this.emit({ type: "track_stalled", track: this.playing, forMs });
    }
  }

  /** What plays says what it is. */
  say(metadata: StreamMetadata): void {
    if (this.playing !== undefined) {
      this.emit({ type: "track_metadata", track: this.playing, metadata });
    }
  }

  stop(): void {
    this.#end("stopped");
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
  }

  seek(positionMs: number): void {
    this.seeks.push(positionMs);
    this.positionMs = positionMs;
  }

  setFilters(filters: FilterSettings | undefined): void {
    this.filters.push(filters);
  }

  setVolume(volume: number): void {
    this.volumes.push(volume);
  }

  openPush(request: PushRequest): void {
    const before = this.playing;
    this.pushes.push(request);
    this.playing = request.track;
    if (before !== undefined) this.emit({ type: "track_ended", track: before, reason: "replaced" });
  }

  endPush(): void {
    this.#end("finished");
  }

  setEncoder(): void {}
  subscribe(): void {}

  pushFrames(frames: readonly Uint8Array[]): number {
    const taken = frames.slice(0, this.room);
    this.pushed.push(...taken.map((frame) => Buffer.from(frame)));
    this.room -= taken.length;
    return taken.length;
  }

  pushBytes(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.room);
    this.pushed.push(Buffer.from(taken));
    this.room -= taken.length;
    return taken.length;
  }

  stats(): FlowStats {
    return {
      packetsSent: 50,
      bytesSent: 0,
      packetsLate: 1,
      framesSkipped: 0,
      sendErrors: 0,
      silenceSent: 0,
      queueFrames: 0,
      positionMs: this.positionMs,
      paused: this.paused,
      ...(this.playing === undefined ? {} : { playingTrack: this.playing }),
      datagramsReceived: 0,
    };
  }

  #end(reason: "finished" | "stopped"): void {
    const track = this.playing;
    this.playing = undefined;
    if (track !== undefined) this.emit({ type: "track_ended", track, reason });
  }
}

/** A voice connection without a network. */
export class FakeCall extends SafeEmitter<ConnectionEvents> implements CallPort {
  readonly flow = new FakeFlow();
  readonly player = new Player(this.flow, () => undefined);
  readonly provided: Parameters<CallPort["provide"]>[0][] = [];
  status: GatewayStatus = "unconnected";
  ping: { lastMs: number; averageMs: number } | undefined;
  serversLost = 0;
  destroyed = false;

  constructor() {
    super();
    this.flow.emit = (event) => this.player.handle(event);
  }

  provide(credentials: Parameters<CallPort["provide"]>[0]): void {
    this.provided.push(credentials);
  }

  serverLost(): void {
    this.serversLost += 1;
  }

  stats(): FlowStats {
    return this.flow.stats();
  }

  /** Goes to a state. */
  become(status: GatewayStatus, reason?: Reason): void {
    this.status = status;
    this.emit("stateChange", status, reason);
  }

  async destroy(): Promise<void> {
    this.destroyed = true;
  }
}

/** The calls of one bot. */
export class FakeCalls implements CallsPort {
  readonly made: FakeCall[] = [];
  readonly #byGuild = new Map<string, FakeCall>();
  closed = false;

  connection(guildId: string): FakeCall {
    const known = this.#byGuild.get(guildId);
    if (known && !known.destroyed) return known;
    const call = new FakeCall();
    this.#byGuild.set(guildId, call);
    this.made.push(call);
    return call;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
