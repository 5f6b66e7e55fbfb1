/** Reads fields of op bodies; each failure names the field, what is wrong and what is allowed. */

import { CadenzaError } from "../../support/errors.ts";
import type { Snowflake } from "./protocol.ts";

/** A command that cannot be carried out. Its codes are listed in docs/reference/errors.md. */
export class OpError extends CadenzaError {
  /** Path of the field that is to blame, for example `d.guild_id`. */
  readonly field: string | undefined;

  constructor(code: string, message: string, field?: string) {
    super(code, message);
    this.name = "OpError";
    this.field = field;
  }
}

/** A JSON object. */
export type Fields = Record<string, unknown>;

/** Longest string, in UTF-16 units; a track id is the longest there is. */
export const MAX_STRING = 16 * 1024;
/** Longest time: 24 days, more than any track. */
export const MAX_MS = 2 ** 31 - 1;

/** Whether a string is an id of Discord: 64 bits as a decimal number without leading zeros. */
export function isSnowflake(value: string): value is Snowflake {
  return /^[1-9]\d{0,19}$/.test(value) && BigInt(value) < 2n ** 64n;
}

/** An id. */
export function snowflake(fields: Fields, name: string): Snowflake {
  const value = text(fields, name);
  if (isSnowflake(value)) return value;
  throw invalid(name, "an id: 1 to 20 digits, less than 2^64, without leading zeros");
}

/** An id that may be missing or null. */
export function optionalSnowflake(fields: Fields, name: string): Snowflake | undefined {
  return fields[name] === undefined || fields[name] === null ? undefined : snowflake(fields, name);
}

/** A string that is not empty. */
export function text(fields: Fields, name: string): string {
  const value = required(fields, name);
  if (typeof value !== "string") throw wrongType(name, "a string");
  if (value.length > 0 && value.length <= MAX_STRING) return value;
  throw invalid(name, `1 to ${MAX_STRING} characters`);
}

/** A string that may be missing: then it is empty. */
export function optionalText(fields: Fields, name: string): string {
  return fields[name] === undefined || fields[name] === "" ? "" : text(fields, name);
}

/** One of a few strings. */
export function oneOf<Value extends string>(
  fields: Fields,
  name: string,
  values: readonly Value[],
): Value {
  const value = text(fields, name);
  const found = values.find((known) => known === value);
  if (found !== undefined) return found;
  throw invalid(name, values.join(", "));
}

/** A string or null. */
export function textOrNull(fields: Fields, name: string): string | null {
  return required(fields, name) === null ? null : text(fields, name);
}

/** true or false. */
export function flag(fields: Fields, name: string, missing?: boolean): boolean {
  const value = required(fields, name, missing);
  if (typeof value === "boolean") return value;
  throw wrongType(name, "true or false");
}

/** Whole milliseconds from 0 to {@link MAX_MS}. */
export function milliseconds(fields: Fields, name: string, missing?: number): number {
  const value = required(fields, name, missing);
  if (typeof value !== "number") throw wrongType(name, "a number of milliseconds");
  if (Number.isInteger(value) && value >= 0 && value <= MAX_MS) return value;
  throw invalid(name, `a whole number of milliseconds from 0 to ${MAX_MS}`);
}

/** A whole number from `min` to `max`. */
export function integer(
  fields: Fields,
  name: string,
  min: number,
  max: number,
  missing?: number,
): number {
  const value = required(fields, name, missing);
  if (typeof value !== "number") throw wrongType(name, "a number");
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(name, `a whole number from ${min} to ${max}`);
}

/** The value of a field of the object itself; `false`, `0` and `null` are values. */
function required(fields: Fields, name: string, missing?: unknown): unknown {
  const value = Object.hasOwn(fields, name) ? fields[name] : missing;
  if (value !== undefined) return value;
  throw new OpError("missing_field", `${name} is missing.`, `d.${name}`);
}

function wrongType(name: string, expected: string): OpError {
  return new OpError("wrong_type", `${name} must be ${expected}.`, `d.${name}`);
}

function invalid(name: string, allowed: string): OpError {
  return new OpError("invalid_value", `${name} takes ${allowed}.`, `d.${name}`);
}
