/** Turns failures that cross the binding as values into exceptions, in this one place. */

import { CadenzaError } from "../support/errors.ts";
import type { BindingFailure } from "./generated/binding.js";

/** Throws when `outcome` is a failure. */
export function succeed(outcome: BindingFailure | null | undefined): void {
  if (outcome) throw new CadenzaError(outcome.code, outcome.message);
}

/** Returns the value, or throws when it is a failure. */
export function unwrap<T extends number | string>(outcome: T | BindingFailure): T {
  if (typeof outcome === "object") throw new CadenzaError(outcome.code, outcome.message);
  return outcome;
}
