/** Options of a simulator: what a user may give, checked and completed once. */

import { CadenzaError } from "../support/errors.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import { MODES, type Mode } from "./crypto.ts";

/** Options of `DiscordSimulator.start`. */
export interface SimulatorOptions {
  /** IPv4 address to bind and to tell clients. Default 127.0.0.1. */
  host?: string;
  /** TCP port of the voice gateway. Default 0: any free one. */
  port?: number;
  /** UDP port of the media server. Default 0: any free one. */
  udpPort?: number;
  /** Speaks `wss` with a certificate made at the start, as clients that know no `ws` need. Default false. */
  tls?: boolean;
  /** Gateway versions accepted; others are closed with 4020. Default 4 and 8. */
  gatewayVersions?: readonly (4 | 8)[];
  /** Encryption modes offered, in this order. Default: all five, though Discord offers the first two. */
  modes?: readonly string[];
  /** Milliseconds. Default 13,750, as in the field. */
  heartbeatIntervalMs?: number;
  /** How long a lost session can be resumed, in milliseconds. Default 60,000. */
  resumeWindowMs?: number;
  /** Seeds ids, tokens, keys and padding. Default 1. */
  seed?: number;
  /**
   * Answers discovery requests that are not filled with zeros, too, though they are objected to. Default
   * false, as some real servers do.
   */
  lenientDiscovery?: boolean;
  /** Highest version of end-to-end encryption that the server speaks. Default 0: none. Discord's is 1. */
  daveProtocolVersion?: 0 | 1;
  /**
   * Closes clients that announce no end-to-end encryption with 4017, stage channels aside. Default true, as
   * Discord does; without it such a client brings its whole call down to version 0.
   */
  daveRequired?: boolean;
  /** Default: silent. */
  logger?: Logger;
}

/** Every option with its value. */
export interface ResolvedOptions {
  host: string;
  port: number;
  udpPort: number;
  tls: boolean;
  versions: readonly number[];
  modes: readonly Mode[];
  heartbeatIntervalMs: number;
  resumeWindowMs: number;
  seed: number;
  lenientDiscovery: boolean;
  daveProtocolVersion: number;
  daveRequired: boolean;
  logger: Logger;
}

/**
 * Completes the options.
 *
 * @throws CadenzaError `invalid_argument` for a mode that does not exist or a time that is not positive.
 */
export function resolveOptions(options: SimulatorOptions): ResolvedOptions {
  const { heartbeatIntervalMs = 13_750, resumeWindowMs = 60_000 } = options;
  if (!(heartbeatIntervalMs > 0) || !(resumeWindowMs > 0)) {
    throw new CadenzaError("invalid_argument", "The simulator's times have to be positive.");
  }
  return {
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    udpPort: options.udpPort ?? 0,
    tls: options.tls ?? false,
    versions: options.gatewayVersions ?? [4, 8],
    modes: (options.modes ?? MODES).map(knownMode),
    heartbeatIntervalMs,
    resumeWindowMs,
    seed: options.seed ?? 1,
    lenientDiscovery: options.lenientDiscovery ?? false,
    daveProtocolVersion: options.daveProtocolVersion ?? 0,
    daveRequired: options.daveRequired ?? true,
    logger: options.logger ?? silentLogger,
  };
}

function knownMode(name: string): Mode {
  const mode = MODES.find((known) => known === name);
  if (mode) return mode;
  throw new CadenzaError("invalid_argument", `The option modes takes ${MODES.join(", ")}.`);
}
