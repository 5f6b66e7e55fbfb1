/** Track ids: base64 of a JSON object, in the shape that other tools of this protocol write. */

import { OpError } from "./ops/fields.ts";

/** What a track id says. */
export interface TrackDescription {
  title: string | null;
  identifier: string | null;
  /** An http(s) URL, or the path or file URL of a local file. */
  url: string;
  /** Milliseconds. */
  length: number | null;
  author: string | null;
  author_id: string | null;
  thumbnail: string | null;
  is_live: boolean | null;
}

const KEYS = [
  "title",
  "identifier",
  "url",
  "length",
  "author",
  "author_id",
  "thumbnail",
  "is_live",
] as const;

/** Encodes with a space after each colon and comma and with non-ASCII escaped, as Python's `json.dumps` does. */
export function encodeTrackId(track: TrackDescription): string {
  const members = KEYS.map((key) => `${JSON.stringify(key)}: ${ascii(JSON.stringify(track[key]))}`);
  return Buffer.from(`{${members.join(", ")}}`, "latin1").toString("base64");
}

/**
 * Decodes an id; unknown members are ignored, missing ones count as null, base64url is accepted.
 *
 * @throws OpError `unknown_track` when it is no such id or names no URL.
 */
export function decodeTrackId(id: string): TrackDescription {
  const normal = id.replace(/-/g, "+").replace(/_/g, "/");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(normal)) throw unknown("it is not base64");
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(normal, "base64").toString("utf8"));
  } catch {
    throw unknown("it does not hold JSON");
  }
  if (typeof value !== "object" || value === null) throw unknown("it does not hold a JSON object");
  const fields = value as Record<string, unknown>;
  const { url } = fields;
  if (typeof url !== "string" || url === "") throw unknown("it names no url");
  const string = (key: string): string | null =>
    typeof fields[key] === "string" ? (fields[key] as string) : null;
  return {
    title: string("title"),
    identifier: string("identifier"),
    url,
    length: typeof fields.length === "number" ? fields.length : null,
    author: string("author"),
    author_id: string("author_id"),
    thumbnail: string("thumbnail"),
    is_live: typeof fields.is_live === "boolean" ? fields.is_live : null,
  };
}

function ascii(json: string): string {
  return json.replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function unknown(why: string): OpError {
  return new OpError("unknown_track", `The track_id cannot be played: ${why}.`, "track_id");
}
