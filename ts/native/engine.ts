/** The engine and its flows: thin owners of native handles. */

import { CadenzaError } from "../support/errors.ts";
import { toFlowEvent } from "./events.ts";
import { Flow, Stream } from "./flow.ts";
import type { BindingEngine, BindingEvent } from "./generated/binding.js";
import { startEngine } from "./start.ts";
import type { EngineLike, EngineOptions, EngineStats, FlowEvent } from "./types.ts";
import { unwrap } from "./unwrap.ts";

/** Events taken from the native queue at once; more are taken in a later turn of the event loop. */
const EVENT_BATCH = 256;

/** What an event is for, and who takes it. */
interface Owned {
  owner: Stream;
  handle: (event: BindingEvent) => void;
}

/**
 * The Rust engine: pacer, decode and IO threads.
 *
 * It does not keep the process alive. One engine carries thousands of calls; most programs use
 * {@link Engine.shared}.
 */
export class Engine implements EngineLike {
  static #shared: Engine | undefined;

  readonly #native: BindingEngine;
  readonly #flows = new Map<number, Owned>();
  #closed: Promise<void> | undefined;

  /**
   * @throws CadenzaError `invalid_argument` for an option that is unknown or out of its range,
   * `native_addon_missing` when no addon fits this machine, `engine_start_failed` when the system gives no threads.
   */
  constructor(options: EngineOptions = {}) {
    this.#native = startEngine(options, () => this.#dispatch());
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
    this.#ensureOpen();
    const id = unwrap(this.#native.createFlow());
    const flow = new Flow(this.#native, id, () => this.#flows.delete(id));
    const handle = (raw: BindingEvent): void => {
      if (flow.receiver.handle(raw) || flow.isClosed) return;
      const event = toFlowEvent(raw);
      if (event) onEvent(event);
    };
    this.#flows.set(id, { owner: flow, handle });
    return flow;
  }

  /**
   * Creates a stream: it plays as a call does and is encoded once, for all calls that subscribe to it.
   * It plays in real time whether anybody listens or not.
   *
   * @throws CadenzaError `engine_closed` after {@link Engine.close}; `too_many_flows` at the limit.
   */
  createStream(onEvent: (event: FlowEvent) => void): Stream {
    this.#ensureOpen();
    const id = unwrap(this.#native.createStream());
    const stream = new Stream(this.#native, id, () => this.#flows.delete(id));
    const handle = (raw: BindingEvent): void => {
      const event = toFlowEvent(raw);
      if (event) onEvent(event);
    };
    this.#flows.set(id, { owner: stream, handle });
    return stream;
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
    for (const { owner } of [...this.#flows.values()]) owner.close();
    await this.#native.close();
    // Recordings that were under way tell their end.
    this.#dispatch();
  }

  #ensureOpen(): void {
    if (this.#closed) throw new CadenzaError("engine_closed", "The engine has been closed.");
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
