/** Asks the resolvers in their order, bounded in time and number, and remembers what they found. */

import { CadenzaError } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import { OpError } from "../ops/fields.ts";
import type { TrackDescription } from "../track-id.ts";
import { Lane } from "./lane.ts";
import type { Loaded, Opened, Resolver } from "./resolver.ts";

/** Calls of one resolver at the same time, unless it says otherwise. */
const DEFAULT_CONCURRENCY = 16;
/** Addresses that are remembered. */
const MAX_REMEMBERED = 5000;
/** An address that is good for less than this is asked for again: the sound has to be fetched, too. */
const MIN_GOOD_MS = 30_000;

/** What the resolvers share. */
export interface ResolversParts {
  resolvers: readonly Resolver[];
  /** Milliseconds that a call may take, unless its resolver says otherwise. */
  timeoutMs: number;
  logger: Logger;
  /** Milliseconds since 1970. Default: the clock. */
  now?: () => number;
}

type Remembered = Opened & { expiresAt: number };

/** The resolvers of a node. */
export class Resolvers {
  readonly #parts: ResolversParts;
  readonly #lanes: { resolver: Resolver; lane: Lane }[];
  readonly #remembered = new Map<string, Remembered>();

  constructor(parts: ResolversParts) {
    this.#parts = parts;
    this.#lanes = parts.resolvers.map((resolver) => {
      const { name, concurrency = DEFAULT_CONCURRENCY, timeoutMs = parts.timeoutMs } = resolver;
      return { resolver, lane: new Lane({ name, concurrency, timeoutMs }) };
    });
  }

  /**
   * What a query leads to; undefined when it is no resolver's business.
   *
   * @throws OpError `resolver_failed`, `resolver_timeout`, `resolver_busy`, or a resolver's own.
   */
  load(query: string, signal: AbortSignal): Promise<Loaded | undefined> {
    return this.#first((resolver, ended) => resolver.load?.(query, ended), signal);
  }

  /** Where the sound of a track is; undefined when it is no resolver's business. Throws as `load` does. */
  async open(track: TrackDescription, signal: AbortSignal): Promise<Opened | undefined> {
    const known = this.#recall(track.url);
    if (known !== undefined) return known;
    const opened = await this.#first((resolver, ended) => resolver.open?.(track, ended), signal);
    if (opened) this.#remember(track.url, opened);
    return opened;
  }

  /** Forgets where a track was, since it is not there. */
  forget(url: string): void {
    this.#remembered.delete(url);
  }

  async #first<T>(
    ask: (resolver: Resolver, signal: AbortSignal) => Promise<T | undefined> | undefined,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    for (const { resolver, lane } of this.#lanes) {
      const found = await lane
        .run(async (ended) => await ask(resolver, ended), signal)
        .catch((error: unknown) => this.#fail(resolver, error));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Only errors of our own may be told: any other may quote what must not be told. */
  #fail({ name }: Resolver, error: unknown): never {
    if (error instanceof CadenzaError) throw error;
    const kind = error instanceof Error ? error.name : typeof error;
    this.#parts.logger.warn({ resolver: name, kind }, "a resolver failed");
    throw new OpError("resolver_failed", `The resolver ${name} failed; the node's log says more.`);
  }

  #recall(key: string): Opened | undefined {
    const known = this.#remembered.get(key);
    if (!known) return undefined;
    if (known.expiresAt - this.#now() >= MIN_GOOD_MS) return known;
    this.#remembered.delete(key);
    return undefined;
  }

  #remember(key: string, opened: Opened): void {
    const { expiresAt } = opened;
    if (expiresAt === undefined || expiresAt - this.#now() < MIN_GOOD_MS) return;
    this.#remembered.set(key, { ...opened, expiresAt });
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#remembered.delete(oldest);
    }
  }

  #now(): number {
    return this.#parts.now?.() ?? Date.now();
  }
}
