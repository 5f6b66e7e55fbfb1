/** Waits for a connection to become ready, or to end. */

import { untilReady as watch } from "../gateway/index.ts";
import type { VoiceConnection } from "./connection.ts";

/** Options of a join. */
export interface JoinOptions {
  /** Gives the join up. */
  signal?: AbortSignal;
  /** Milliseconds until the join is given up, all tries together. Default 30 000. */
  timeoutMs?: number;
  /** Shows the bot as muted. Default false, or as it was. */
  selfMute?: boolean;
  /** Shows the bot as deafened; it hears all the same. Default true, or as it was. */
  selfDeaf?: boolean;
}

const DEFAULT_JOIN_TIMEOUT_MS = 30_000;

/**
 * Resolves when sound can be sent.
 *
 * @throws CadenzaError with the code of the connection's reason when it ends, `aborted` by the signal,
 * `join_timeout` when it takes too long; the connection leaves in both cases.
 */
export function untilReady(connection: VoiceConnection, options: JoinOptions = {}): Promise<void> {
  const { signal, timeoutMs = DEFAULT_JOIN_TIMEOUT_MS } = options;
  const giveUp = (): void => connection.leave();
  return watch(connection, { timeoutMs, giveUp, ...(signal && { signal }) });
}
