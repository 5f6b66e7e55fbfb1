/** TLS contexts, shared by the sockets that trust the same authorities: one of its own costs each connection 15 KiB. */

import { createSecureContext, type SecureContext } from "node:tls";

/** TLS settings of a socket. */
export interface TlsOptions {
  /** Certificate authorities in PEM, instead of the system's. */
  ca?: string;
}

/** Different sets of authorities that are remembered; a process has one, or two where it tests. */
const MOST_CONTEXTS = 8;

const contexts = new Map<string | undefined, SecureContext>();

/** The context of these authorities, made at first use. Text without a certificate in it trusts nobody: logins then fail. */
export function secureContext(options: TlsOptions): SecureContext {
  const known = contexts.get(options.ca);
  if (known !== undefined) return known;
  const context = createSecureContext(options);
  if (contexts.size === MOST_CONTEXTS) contexts.delete(contexts.keys().next().value);
  contexts.set(options.ca, context);
  return context;
}
