/** Waits for a gateway, or what stands on one, to become ready or to end. */

import { CadenzaError } from "../support/errors.ts";
import type { GatewayStatus, Reason } from "./state.ts";

type Watch = (status: GatewayStatus, reason: Reason | undefined) => void;

/** What is waited for. */
interface Watched {
  on(name: "stateChange", watch: Watch): unknown;
  off(name: "stateChange", watch: Watch): unknown;
}

/** When to give up, and what to do then. */
export interface UntilReadyOptions {
  signal?: AbortSignal;
  /** Default: for as long as the phases of the connection allow. */
  timeoutMs?: number;
  giveUp: () => void;
}

/**
 * Resolves when sound can be sent.
 *
 * @throws CadenzaError with the code of the reason when it ends, `aborted` by the signal, `join_timeout` when
 * it takes too long; `giveUp` is called in both cases.
 */
export function untilReady(watched: Watched, options: UntilReadyOptions): Promise<void> {
  const { signal, timeoutMs, giveUp } = options;
  return new Promise((resolve, reject) => {
    const settle = (error?: CadenzaError): void => {
      clearTimeout(timer);
      watched.off("stateChange", watch);
      signal?.removeEventListener("abort", abort);
      if (error) reject(error);
      else resolve();
    };
    const watch: Watch = (status, reason) => {
      if (status === "ready") settle();
      if (status !== "disconnected") return;
      const { code = "disconnected", message = "The connection ended." } = reason ?? {};
      settle(new CadenzaError(code, message));
    };
    const stop = (code: string, message: string): void => {
      settle(new CadenzaError(code, message));
      giveUp();
    };
    const abort = (): void => stop("aborted", "Joining was aborted.");
    const late = (): void =>
      stop("join_timeout", `The voice channel was not joined within ${timeoutMs} ms.`);
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
    watched.on("stateChange", watch);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
  });
}
