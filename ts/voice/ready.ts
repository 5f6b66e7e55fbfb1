/** Waits for a connection to become ready, or to end. */

import type { GatewayStatus, Reason } from "../gateway/index.ts";
import { CadenzaError } from "../support/errors.ts";
import type { VoiceConnection } from "./connection.ts";

/**
 * Resolves when sound can be sent.
 *
 * @throws CadenzaError with the code of the connection's reason when it ends, `aborted` by the signal;
 * an aborted connection leaves.
 */
export function untilReady(connection: VoiceConnection, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: CadenzaError): void => {
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
    const abort = (): void => {
      settle(new CadenzaError("aborted", "Joining was aborted."));
      connection.leave();
    };
    connection.on("stateChange", watch);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
  });
}
