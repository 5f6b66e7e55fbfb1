/** The one error class that cadenza throws: a message for people and a stable code for programs. */

/**
 * An error with a stable, documented code.
 *
 * Match on {@link CadenzaError.code}; the message is for people and may change.
 */
export class CadenzaError extends Error {
  /** Stable snake_case code, for example `gateway_closed`. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CadenzaError";
    this.code = code;
  }
}
