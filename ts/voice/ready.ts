/** Waits for a connection to become ready, or to end. */

import type { GatewayStatus, Reason } from "../gateway/index.ts";
import { CadenzaError } from "../support/errors.ts";
import type { VoiceConnection } from "./connection.ts";

/** Options of a join. */
export interface JoinOptions {
  /** Gives the join up. */
  signal?: AbortSignal;
  /** Milliseconds until the join is given up, all tries together. Default 30 000. */
  timeoutMs?: number;
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
  return new Promise((resolve, reject) => {
    const settle = (error?: CadenzaError): void => {
      clearTimeout(timer);
      connection.off("stateChange", watch);
      signal?.removeEventListener("abort", abort);
      if (error) reject(error);
      else resolve();
    };
    const watch = (status: GatewayStatus, reason: Reason | undefined): void => {
      if (status === "ready") settle();
      if (status !== "disconnected") return;
      settle(
        new CadenzaError(
          reason?.code ?? "disconnected",
          reason?.message ?? "The connection ended.",
        ),
      );
    };
    const giveUp = (code: string, message: string): void => {
      settle(new CadenzaError(code, message));
      connection.leave();
    };
    const abort = (): void => giveUp("aborted", "Joining was aborted.");
    const timer = setTimeout(
      () => giveUp("join_timeout", `The voice channel was not joined within ${timeoutMs} ms.`),
      timeoutMs,
    );
    connection.on("stateChange", watch);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
  });
}
