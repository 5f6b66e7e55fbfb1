/** Options of the voice library: what a user may give, resolved once. */

import {
  DEFAULT_MACHINE_CONFIG,
  type MachineConfig,
  type Timeouts,
  type TlsOptions,
} from "../gateway/index.ts";
import type { TransportMode } from "../native/types.ts";
import { CadenzaError } from "../support/errors.ts";
import { checkMs, invalid } from "./checks.ts";

/** How connections speak to voice gateways. */
export interface GatewayOptions {
  /** Voice gateway version. Default 8. */
  version?: 4 | 8;
  /** Accepted encryption modes, best first. Default: all five, the AEAD ones first. */
  modes?: readonly TransportMode[];
  /**
   * Whether end-to-end encryption (DAVE) is offered. Discord's channels, stages aside, take nobody without it; false is
   * for tests. Gateway version 4 has none. Default true.
   */
  endToEndEncryption?: boolean;
  /** Accepts `ws://host:port` endpoints; for simulators on loopback. Default false. */
  insecureEndpoints?: boolean;
  /** TLS settings. Default: the system's certificate authorities. */
  tls?: TlsOptions;
  /** Milliseconds that the phases of a connection may take. */
  timeouts?: Partial<Timeouts>;
}

/**
 * The machine's configuration.
 *
 * @throws CadenzaError `invalid_argument` for a mode or version that does not exist, or a time that is none.
 */
export function resolveGatewayOptions(options: GatewayOptions): MachineConfig {
  const { version = DEFAULT_MACHINE_CONFIG.version, timeouts = {} } = options;
  if (version !== 4 && version !== 8) invalid("The option version takes 4 or 8.");
  for (const [name, value] of Object.entries(timeouts)) checkMs(value, `timeouts.${name}`, 1);
  const modes = options.modes ?? DEFAULT_MACHINE_CONFIG.modes;
  const unknown = modes.find((mode) => !DEFAULT_MACHINE_CONFIG.modes.includes(mode));
  if (unknown !== undefined || modes.length === 0) {
    const known = DEFAULT_MACHINE_CONFIG.modes.join(", ");
    throw new CadenzaError("invalid_argument", `The option modes takes one or more of ${known}.`);
  }
  return {
    ...DEFAULT_MACHINE_CONFIG,
    version,
    modes,
    maxDaveProtocolVersion:
      options.endToEndEncryption === false ? 0 : DEFAULT_MACHINE_CONFIG.maxDaveProtocolVersion,
    insecureEndpoints: options.insecureEndpoints ?? false,
    timeouts: { ...DEFAULT_MACHINE_CONFIG.timeouts, ...timeouts },
  };
}
