/** Track ids: base64 of a JSON object, in the shape that other tools of this protocol write. */

import { decodeFramedTrack } from "./framed-track.ts";
import { MAX_STRING, OpError } from "./ops/fields.ts";

/** What a track id says. Members are null when they are not known. */
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
  const members = KEYS.map((key) => `"${key}": ${ascii(JSON.stringify(track[key]))}`);
  return Buffer.from(`{${members.join(", ")}}`, "latin1").toString("base64");
}

/**
 * Decodes an id. Members that are not known are ignored; those that are missing or of another type count as
 * null. base64url and missing padding are accepted, and so are the ids of Lavalink's kind.
 *
 * @throws OpError `unknown_track` when it is no such id or names no URL.
 */
export function decodeTrackId(id: string): TrackDescription {
  const bytes = bytesOf(id);
  const framed = bytes[0] === BRACE ? undefined : decodeFramedTrack(bytes);
  if (framed && framed.url.trim() !== "") return framed;
  const fields = parse(bytes);
  const { url, length, is_live } = fields;
  if (typeof url !== "string" || url.trim() === "") throw unknown("it names no url");
  const string = (key: string): string | null => {
    const value = fields[key];
    return typeof value === "string" ? value : null;
  };
  return {
    title: string("title"),
    identifier: string("identifier"),
    url,
    length: typeof length === "number" && Number.isFinite(length) ? length : null,
    author: string("author"),
    author_id: string("author_id"),
    thumbnail: string("thumbnail"),
    is_live: typeof is_live === "boolean" ? is_live : null,
  };
}

/** A JSON object begins with it, and no frame does that fits into an id. */
const BRACE = 0x7b;

function bytesOf(id: string): Buffer {
  if (id.length > MAX_STRING) throw unknown(`it has more than ${MAX_STRING} characters`);
  const digits = id
    .replace(/-/g, "+")
    .replace(/_/g, "/")
    .replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/]+$/.test(digits) || digits.length % 4 === 1)
    throw unknown("it is not base64");
  return Buffer.from(digits, "base64");
}

function parse(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw unknown("it does not hold JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw unknown("it does not hold a JSON object");
}

function ascii(json: string): string {
  return json.replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function unknown(why: string): OpError {
  return new OpError("unknown_track", `The track_id cannot be played: ${why}.`, "d.track_id");
}
