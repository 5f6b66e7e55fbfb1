/** The engine and its flows: thin owners of native handles. */

import { CadenzaError } from "../support/errors.ts";
import {
  computeVerificationCode,
  type DaveMembers,
  type DaveOptions,
  type DaveServerMessage,
  type DaveStatus,
  openDave,
  passDaveMembers,
  passDaveMessage,
  readDaveStatus,
} from "./dave.ts";
import { toFlowEvent } from "./events.ts";
import { type FilterSettings, resolveFilters, resolveVolume, toBinding } from "./filters.ts";
import type { BindingEngine, BindingEvent } from "./generated/binding.js";
import { loadBinding } from "./load.ts";
import { FlowReceiver } from "./receive.ts";
import { type TransportAddresses, toTransportAddresses } from "./transport.ts";
import type {
  EngineLike,
  EngineOptions,
  EngineStats,
  FlowEvent,
  FlowLike,
  FlowStats,
  PlayRequest,
  SessionKeys,
  TransportTarget,
} from "./types.ts";
import { succeed, unwrap } from "./unwrap.ts";

/** Events taken from the native queue at once; more are taken in a later turn of the event loop. */
const EVENT_BATCH = 256;

/**
 * The Rust engine: pacer, decode and IO threads.
 *
 * It does not keep the process alive. One engine carries thousands of calls; most programs use
 * {@link Engine.shared}.
 */
export class Engine implements EngineLike {
  static #shared: Engine | undefined;

  readonly #native: BindingEngine;
  readonly #flows = new Map<number, { flow: Flow; handle: (event: BindingEvent) => void }>();
  #closed: Promise<void> | undefined;

  /** @throws CadenzaError `native_addon_missing` when no addon fits this machine. */
  constructor(options: EngineOptions = {}) {
    const binding = loadBinding();
    this.#native = new binding.BindingEngine(options, () => this.#dispatch());
  }

  /** The engine of this process (per worker thread), started at the first call. */
  static shared(): Engine {
    if (!Engine.#shared || Engine.#shared.#closed) Engine.#shared = new Engine();
    return Engine.#shared;
  }

  /**
   * Creates the native side of one call.
   *
   * @throws CadenzaError `engine_closed` after {@link Engine.close}; `too_many_flows` at the limit.
   */
  createFlow(onEvent: (event: FlowEvent) => void): Flow {
    if (this.#closed) throw new CadenzaError("engine_closed", "The engine has been closed.");
    const id = unwrap(this.#native.createFlow());
    const flow = new Flow(this.#native, id, () => this.#flows.delete(id));
    const handle = (raw: BindingEvent): void => {
      if (flow.receiver.handle(raw) || flow.isClosed) return;
      const event = toFlowEvent(raw);
      if (event) onEvent(event);
    };
    this.#flows.set(id, { flow, handle });
    return flow;
  }

  /** Counters of the whole engine. */
  stats(): EngineStats {
    return this.#native.stats();
  }

  /** Stops every thread and closes every socket. Idempotent; resolves when they are gone. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    for (const { flow } of [...this.#flows.values()]) flow.close();
    await this.#native.close();
    // Recordings that were under way tell their end.
    this.#dispatch();
  }

  #dispatch(): void {
    const events = this.#native.drainEvents(EVENT_BATCH);
    if (events.length === EVENT_BATCH) setImmediate(() => this.#dispatch());
    for (const raw of events) this.#deliver(raw);
  }

  /** A listener that throws must not keep the events behind it from their flows. */
  #deliver(event: BindingEvent): void {
    try {
      this.#flows.get(event.flow)?.handle(event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** The native side of one call: its socket, keys, frame queue and place on a pacer. */
export class Flow implements FlowLike {
  /** What others send: hearing, recording, counting. */
  readonly receiver: FlowReceiver;
  readonly #native: BindingEngine;
  readonly #id: number;
  readonly #forget: () => void;
  #closed = false;

  /** @internal Made by {@link Engine.createFlow}. */
  constructor(native: BindingEngine, id: number, forget: () => void) {
    this.#native = native;
    this.#id = id;
    this.#forget = forget;
    this.receiver = new FlowReceiver(native, id);
  }

  /** Whether {@link Flow.close} was called. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Opens a socket towards the voice server and finds the external address (10 tries, 1 s apart). */
  openTransport(target: TransportTarget): void {
    if (!this.#closed) succeed(this.#native.openTransport(this.#id, target));
  }

  /** Installs mode and key; from here on frames are sent. */
  startSession(session: SessionKeys): void {
    if (!this.#closed) succeed(this.#native.startSession(this.#id, session));
  }

  /** Closes the socket and forgets the keys; what plays holds its position. */
  closeTransport(): void {
    if (!this.#closed) this.#native.closeTransport(this.#id);
  }

  /** Plays a track; it replaces what plays. */
  play(request: PlayRequest): void {
    if (this.#closed) return;
    const { source, encoder, ...rest } = request;
    const place = source.kind === "file" ? { path: source.path } : { url: source.url };
    succeed(this.#native.play(this.#id, { ...rest, ...encoder, ...place }));
  }

  /** Stops what plays. */
  stop(): void {
    if (!this.#closed) this.#native.stop(this.#id);
  }

  /** Pauses or resumes what plays. */
  setPaused(paused: boolean): void {
    if (!this.#closed) this.#native.setPaused(this.#id, paused);
  }

  /** Moves to a position in source time, in milliseconds. */
  seek(positionMs: number): void {
    if (!this.#closed) this.#native.seek(this.#id, positionMs);
  }

  /**
   * Replaces all filters, for what plays and for what comes; heard within 60 ms. Undefined turns them off.
   * Frames from JavaScript are never changed.
   *
   * @throws FilterError for settings that cannot be taken; nothing was changed.
   */
  setFilters(filters: FilterSettings | undefined): void {
    const settings = toBinding(resolveFilters(filters ?? {}));
    if (!this.#closed) succeed(this.#native.setFilters(this.#id, settings));
  }

  /**
   * Sets the volume, 0 to 10, where 1 changes nothing; heard within 60 ms.
   *
   * @throws FilterError for a volume that cannot be taken.
   */
  setVolume(volume: number): void {
    const checked = resolveVolume(volume);
    if (!this.#closed) succeed(this.#native.setVolume(this.#id, checked));
  }

  /** Hands 20 ms Opus packets to the flow; returns how many fitted into its queue. */
  pushFrames(frames: readonly Uint8Array[]): number {
    return this.#closed ? 0 : this.#native.pushFrames(this.#id, [...frames]);
  }

  /** A session begins; see {@link DaveFlow.daveOpen}. */
  daveOpen(options: DaveOptions): void {
    if (!this.#closed) openDave(this.#native, this.#id, options);
  }

  /** Hands over a message of the voice gateway about end-to-end encryption, in order. */
  daveMessage(message: DaveServerMessage): void {
    if (!this.#closed) passDaveMessage(this.#native, this.#id, message);
  }

  /** Users came and went. */
  daveMembers(members: DaveMembers): void {
    if (!this.#closed) passDaveMembers(this.#native, this.#id, members);
  }

  /** The encrypted session is over. */
  daveClose(): void {
    if (!this.#closed) this.#native.daveClose(this.#id);
  }

  /** State and counters of end-to-end encryption. */
  daveStatus(): DaveStatus | undefined {
    return this.#closed ? undefined : readDaveStatus(this.#native, this.#id);
  }

  /** The digits that this bot and a member of the group compare. */
  async verificationCode(userId: string): Promise<string> {
    if (this.#closed) throw new CadenzaError("unknown_flow", "The flow has been closed.");
    return await computeVerificationCode(this.#native, this.#id, userId);
  }

  /** Counters and state, read without stopping the flow; undefined after {@link Flow.close}. */
  stats(): FlowStats | undefined {
    return this.#closed ? undefined : (this.#native.flowStats(this.#id) ?? undefined);
  }

  /** Both ends of the open transport; undefined where there is none. */
  addresses(): TransportAddresses | undefined {
    return this.#closed
      ? undefined
      : toTransportAddresses(this.#native.transportAddresses(this.#id));
  }

  /** Ends the flow. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#native.destroyFlow(this.#id);
    this.receiver.close(this.#forget);
  }
}
