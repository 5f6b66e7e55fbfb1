/** DAVE's frame format over node:crypto, written apart from every library that is tested with it. */

import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import { u16, u32, vec } from "./bytes.ts";

const MARKER = 0xfafa;
const TAG_BYTES = 8;
/** Tag, one byte of nonce, size and marker. */
const LEAST_TRAILER = 12;
const KEY_BYTES = 16;
const SECRET_BYTES = 32;

/** A frame taken apart. */
export interface DaveFrame {
  /** Ciphertext, and what other codecs leave in clear between it. */
  body: Buffer;
  tag: Buffer;
  /** The sender's counter, 32 bits. */
  nonce: number;
  /** Parts of the body that are in clear; none for Opus. */
  clearRanges: { offset: number; size: number }[];
}

/** Takes a frame apart by its trailer; undefined when it is not one of DAVE's. */
export function parseFrame(frame: Buffer): DaveFrame | undefined {
  const { length } = frame;
  if (length < LEAST_TRAILER || frame.readUInt16BE(length - 2) !== MARKER) return undefined;
  const size = frame[length - 3] ?? 0;
  if (size < LEAST_TRAILER || size > length) return undefined;
  const bodyLength = length - size;
  const numbers = readNumbers(frame.subarray(bodyLength + TAG_BYTES, length - 3));
  const [nonce, ...ranges] = numbers ?? [];
  if (nonce === undefined || nonce > 0xffff_ffff || ranges.length % 2 !== 0) return undefined;
  const clearRanges = [];
  for (let at = 0, end = 0; at < ranges.length; at += 2) {
    const [offset = 0, count = 0] = ranges.slice(at, at + 2);
    if (offset < end || offset + count > bodyLength) return undefined;
    end = offset + count;
    clearRanges.push({ offset, size: count });
  }
  const tag = frame.subarray(bodyLength, bodyLength + TAG_BYTES);
  return { body: frame.subarray(0, bodyLength), tag, nonce, clearRanges };
}

/** Encrypts an Opus packet under a base secret with a counter. `generation` defaults to the counter's top byte. */
export function sealFrame(
  base: Uint8Array,
  nonce: number,
  opus: Uint8Array,
  generation = nonce >>> 24,
): Buffer {
  const key = ratchetKey(base, generation);
  const cipher = createCipheriv("aes-128-gcm", key, gcmNonce(nonce), { authTagLength: 16 });
  const body = Buffer.concat([cipher.update(opus), cipher.final()]);
  const tag = cipher.getAuthTag().subarray(0, TAG_BYTES);
  const counter = uleb128(nonce >>> 0);
  const size = TAG_BYTES + counter.length + 3;
  return Buffer.concat([body, tag, counter, Buffer.of(size), u16(MARKER)]);
}

/** Decrypts a frame under a base secret; undefined when it is none or does not authenticate. */
export function openFrame(
  base: Uint8Array,
  frame: Buffer,
  generation?: number,
): Buffer | undefined {
  const parsed = parseFrame(frame);
  if (!parsed) return undefined;
  const { body, tag, nonce, clearRanges } = parsed;
  const key = ratchetKey(base, generation ?? nonce >>> 24);
  const options = { authTagLength: TAG_BYTES };
  const decipher = createDecipheriv("aes-128-gcm", key, gcmNonce(nonce), options);
  const out = Buffer.from(body);
  const isClear = (at: number): boolean =>
    clearRanges.some(({ offset, size }) => at >= offset && at < offset + size);
  const places = [...out.keys()];
  decipher.setAuthTag(tag).setAAD(Buffer.from(places.filter(isClear).map((at) => out[at] ?? 0)));
  const hidden = places.filter((at) => !isClear(at));
  try {
    const plain = Buffer.concat([
      decipher.update(Buffer.from(hidden.map((at) => out[at] ?? 0))),
      decipher.final(),
    ]);
    for (const [index, at] of hidden.entries()) out[at] = plain[index] ?? 0;
    return out;
  } catch {
    return undefined;
  }
}

/** The sender key of one generation, from a member's 16-byte base secret. */
export function ratchetKey(base: Uint8Array, generation: number): Buffer {
  let secret: Buffer = Buffer.from(base);
  for (let passed = 0; passed < generation; passed++) {
    secret = expandWithLabel(secret, "secret", u32(passed), SECRET_BYTES);
  }
  return expandWithLabel(secret, "key", u32(generation), KEY_BYTES);
}

/** RFC 9420, section 8. */
export function expandWithLabel(
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Buffer {
  const info = Buffer.concat([u16(length), vec(Buffer.from(`MLS 1.0 ${label}`)), vec(context)]);
  return hkdfExpand(secret, info, length);
}

/** RFC 5869, section 2.3: one block is enough for every length used here. */
function hkdfExpand(secret: Uint8Array, info: Uint8Array, length: number): Buffer {
  const block = createHmac("sha256", secret).update(info).update(Buffer.of(1)).digest();
  return Buffer.from(block.subarray(0, length));
}

function gcmNonce(counter: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(counter >>> 0, 8);
  return nonce;
}

function uleb128(value: number): Buffer {
  const bytes = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** Numbers that fill the bytes exactly; undefined when the last is cut off or one is longer than five bytes. */
function readNumbers(bytes: Buffer): number[] | undefined {
  const numbers: number[] = [];
  let value = 0;
  let factor = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor;
    factor *= 128;
    if (byte & 0x80) {
      if (factor > 2 ** 28) return undefined;
      continue;
    }
    numbers.push(value);
    value = 0;
    factor = 1;
  }
  return factor === 1 ? numbers : undefined;
}
