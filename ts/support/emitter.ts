/** An event emitter with a typed map whose listeners cannot break the emitter. */

import { EventEmitter } from "node:events";

/** Names of events and the arguments each carries. */
export type EventMap = { [name: string]: unknown[] };

/** Like Node's emitter; a listener that throws is reported as an uncaught exception of its own, after the emit. */
export class SafeEmitter<Events extends EventMap> {
  readonly #emitter = new EventEmitter();

  /** Adds a listener. */
  on<Name extends keyof Events & string>(
    name: Name,
    listener: (...args: Events[Name]) => void,
  ): this {
    this.#emitter.on(name, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Removes a listener. */
  off<Name extends keyof Events & string>(
    name: Name,
    listener: (...args: Events[Name]) => void,
  ): this {
    this.#emitter.off(name, listener as (...args: unknown[]) => void);
    return this;
  }

  /** Adds a listener for the next event only. */
  once<Name extends keyof Events & string>(
    name: Name,
    listener: (...args: Events[Name]) => void,
  ): this {
    const wrapper = (...args: Events[Name]): void => {
      this.off(name, wrapper);
      listener(...args);
    };
    return this.on(name, wrapper);
  }

  /** Calls every listener. */
  protected emit<Name extends keyof Events & string>(name: Name, ...args: Events[Name]): void {
    for (const listener of this.#emitter.listeners(name)) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
