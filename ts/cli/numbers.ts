/** Numbers that are given on the command line. */

import { CadenzaError } from "../support/errors.ts";

/**
 * Reads a number.
 *
 * @throws CadenzaError `bad_config` when it is none, or outside the range.
 */
export function readNumber(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new CadenzaError("bad_config", `${flag} takes a number from ${min} to ${max}.`);
}

/**
 * Reads a time: seconds, `m:ss` or `h:mm:ss`. Returns milliseconds.
 *
 * @throws CadenzaError `bad_config` when it is none.
 */
export function readTime(flag: string, text: string): number {
  if (!/^(\d{1,3}:)?(\d{1,2}:)?\d{1,6}(\.\d{1,3})?$/.test(text)) {
    throw new CadenzaError("bad_config", `${flag} takes seconds, m:ss or h:mm:ss.`);
  }
  const seconds = text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round(seconds * 1000);
}
