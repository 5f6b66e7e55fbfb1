/** Reads fields of op bodies; each failure names the field, what is wrong and what is allowed. */

import { CadenzaError } from "../../support/errors.ts";

/** A command that cannot be carried out. Its codes are listed in docs/reference/errors.md. */
export class OpError extends CadenzaError {
  readonly field: string | undefined;

  constructor(code: string, message: string, field?: string) {
    super(code, message);
    this.name = "OpError";
    this.field = field;
  }
}

/** A JSON object. */
export type Fields = Record<string, unknown>;

const MAX_STRING = 16 * 1024;
const MAX_MS = 2 ** 31;

/** An id of 1 to 20 digits. */
export function snowflake(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (/^\d{1,20}$/.test(value)) return value;
  throw new OpError("invalid_value", `${name} is not an id of 1 to 20 digits.`, name);
}

/** An id that may be missing or null. */
export function optionalSnowflake(fields: Fields, name: string): string | undefined {
  return fields[name] === undefined || fields[name] === null ? undefined : snowflake(fields, name);
}

/** A string that is not empty. */
export function text(fields: Fields, name: string): string {
  const value = required(fields, name);
  if (typeof value !== "string") throw wrongType(name, "a string");
  if (value.length > 0 && value.length <= MAX_STRING) return value;
  throw new OpError("invalid_value", `${name} has 1 to ${MAX_STRING} characters.`, name);
}

/** A string or null. */
export function textOrNull(fields: Fields, name: string): string | null {
  return required(fields, name) === null ? null : text(fields, name);
}

/** true or false. */
export function flag(fields: Fields, name: string, missing?: boolean): boolean {
  const value =
    fields[name] === undefined && missing !== undefined ? missing : required(fields, name);
  if (typeof value === "boolean") return value;
  throw wrongType(name, "true or false");
}

/** Whole milliseconds from 0 to 2³¹. */
export function milliseconds(fields: Fields, name: string, missing?: number): number {
  const value =
    fields[name] === undefined && missing !== undefined ? missing : required(fields, name);
  if (typeof value !== "number") throw wrongType(name, "a number of milliseconds");
  if (Number.isInteger(value) && value >= 0 && value <= MAX_MS) return value;
  throw new OpError(
    "invalid_value",
    `${name} is a whole number of milliseconds from 0 to ${MAX_MS}.`,
    name,
  );
}

function required(fields: Fields, name: string): unknown {
  const value = fields[name];
  if (value !== undefined) return value;
  throw new OpError("missing_field", `${name} is missing.`, name);
}

function wrongType(name: string, expected: string): OpError {
  return new OpError("wrong_type", `${name} is not ${expected}.`, name);
}
