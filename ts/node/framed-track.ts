/** Track ids that Lavalink and its kin make: base64 of a framed binary message, versions 1 to 3. They are read, never written. */

import type { TrackDescription } from "./track-id.ts";

/** Length that such an id has for streams and for what is not known. */
const NO_LENGTH = 2n ** 63n - 1n;

/** What the bytes of an id say; undefined when they are no such message. */
export function decodeFramedTrack(bytes: Buffer): TrackDescription | undefined {
  try {
    return read(new Fields(bytes));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function read(fields: Fields): TrackDescription | undefined {
  const version = fields.frame();
  if (version < 1 || version > 3) return undefined;
  const title = fields.text();
  const author = fields.text();
  const length = fields.long();
  const identifier = fields.text();
  const isStream = fields.byte() !== 0;
  const uri = version >= 2 ? fields.optionalText() : null;
  const thumbnail = version >= 3 ? fields.optionalText() : null;
  if (version >= 3) fields.optionalText();
  fields.text();
  // The first version names no address: that of what is fetched over HTTP or from a disk is its identifier.
  const url = uri ?? identifier;
  const known = !isStream && length >= 0n && length < NO_LENGTH;
  return {
    title,
    identifier,
    url,
    length: known ? Number(length) : null,
    author,
    author_id: null,
    thumbnail,
    is_live: isStream,
  };
}

/** Reads one field after the other; beyond the end is a RangeError. */
class Fields {
  #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The frame's head; gives the version. */
  frame(): number {
    const head = this.#bytes.readUInt32BE(0);
    const size = head % 2 ** 30;
    const flags = Math.floor(head / 2 ** 30);
    // Some writers leave the size out.
    const end = size === 0 ? this.#bytes.length : 4 + size;
    if (end > this.#bytes.length) throw new RangeError("cut off");
    this.#bytes = this.#bytes.subarray(0, end);
    this.#at = 4;
    return flags % 2 === 1 ? this.byte() : 1;
  }

  byte(): number {
    const value = this.#bytes.readUInt8(this.#at);
    this.#at += 1;
    return value;
  }

  long(): bigint {
    const value = this.#bytes.readBigInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  optionalText(): string | null {
    return this.byte() === 0 ? null : this.text();
  }

  text(): string {
    const begin = this.#at + 2;
    const end = begin + this.#bytes.readUInt16BE(this.#at);
    if (end > this.#bytes.length) throw new RangeError("cut off");
    this.#at = end;
    return modifiedUtf8(this.#bytes.subarray(begin, end));
  }
}

/** Text as Java writes it: each half of a surrogate pair in three bytes of its own. Plain UTF-8 reads the same. */
function modifiedUtf8(bytes: Buffer): string {
  const units: string[] = [];
  let plain = 0;
  const flush = (end: number): void => {
    if (end > plain) units.push(bytes.toString("utf8", plain, end));
  };
  for (let at = 0; at < bytes.length; at += 1) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(at, at + 3);
    const isZero = first === 0xc0 && second === 0x80;
    const isHalf = first === 0xed && (second & 0xe0) === 0xa0 && (third & 0xc0) === 0x80;
    if (!isZero && !isHalf) continue;
    flush(at);
    const unit = isZero ? 0 : 0xd000 | ((second & 0x3f) << 6) | (third & 0x3f);
    units.push(String.fromCharCode(unit));
    at += isZero ? 1 : 2;
    plain = at + 1;
  }
  flush(bytes.length);
  return units.join("");
}
