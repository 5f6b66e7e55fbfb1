/** Reads what programs and services outside say about tracks: anything may be missing or of another type. */

import type { TrackDescription } from "../track-id.ts";

/** Longest text that is taken over from outside. */
const MAX_TEXT = 2000;

/** Most header fields of a source. */
const MAX_HEADERS = 32;

/** A JSON object from outside. */
export type Outside = Record<string, unknown>;

/** Whether a value is a JSON object. */
export function isOutside(value: unknown): value is Outside {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text, or null for anything else; what is too long is cut. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_TEXT) : null;
}

/** A finite number from 0 on, or null. */
export function amountOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

/** An http(s) URL, or undefined. */
export function webUrlOf(value: unknown): string | undefined {
  if (typeof value !== "string" || !URL.canParse(value)) return undefined;
  return /^https?:$/.test(new URL(value).protocol) ? value : undefined;
}

/** Header fields in a JSON object; those that no request can have are left out. */
export function headersOf(value: unknown): Record<string, string> | undefined {
  if (!isOutside(value)) return undefined;
  const fields = Object.entries(value).filter(
    (field): field is [string, string] =>
      /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(field[0]) &&
      typeof field[1] === "string" &&
      /^[\t\x20-\x7e]{0,8192}$/.test(field[1]),
  );
  return fields.length === 0 ? undefined : Object.fromEntries(fields.slice(0, MAX_HEADERS));
}

/** A track in the members of a track id; undefined without a URL. */
export function trackOf(value: unknown): TrackDescription | undefined {
  if (!isOutside(value)) return undefined;
  const { url } = value;
  if (typeof url !== "string" || url === "") return undefined;
  return {
    title: textOf(value.title),
    identifier: textOf(value.identifier),
    url,
    length: amountOf(value.length),
    author: textOf(value.author),
    author_id: textOf(value.author_id),
    thumbnail: textOf(value.thumbnail),
    is_live: typeof value.is_live === "boolean" ? value.is_live : null,
  };
}
