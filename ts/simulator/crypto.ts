/** Transport encryption by other people's code: node:crypto for AES-GCM, libsodium for the rest. */

import { createCipheriv, createDecipheriv } from "node:crypto";
import { sodium } from "./packages.ts";

/** The modes a simulator can offer, best first. */
export const MODES = [
  "aead_aes256_gcm_rtpsize",
  "aead_xchacha20_poly1305_rtpsize",
  "xsalsa20_poly1305_lite",
  "xsalsa20_poly1305_suffix",
  "xsalsa20_poly1305",
] as const;

/** One of {@link MODES}. */
export type Mode = (typeof MODES)[number];

const TAG = 16;
const HEADER = 12;

/** A packet that authenticated. */
export interface Opened {
  /** Extension elements and padding removed. */
  payload: Buffer;
  /** What makes the nonce unique, as on the wire. */
  nonce: Buffer;
}

/** Opens an RTP packet; undefined when it does not authenticate or its parts do not fit. */
export function open(mode: Mode, key: Buffer, datagram: Buffer): Opened | undefined {
  if (datagram.length < HEADER) return undefined;
  const suffix = suffixLength(mode);
  const clear = mode.endsWith("_rtpsize") ? clearLength(datagram) : HEADER;
  if (datagram.length < clear + TAG + suffix) return undefined;
  const head = datagram.subarray(0, clear);
  const body = datagram.subarray(clear, datagram.length - suffix);
  const nonceBytes = suffix > 0 ? datagram.subarray(datagram.length - suffix) : head;
  const plain = decrypt(mode, key, head, body, nonceBytes);
  const payload = plain && strip(mode, datagram, plain);
  return payload && { payload, nonce: Buffer.from(nonceBytes) };
}

/** Seals an RTP packet whose clear part is `head`; `counter` makes the nonce. */
export function seal(
  mode: Mode,
  key: Buffer,
  head: Buffer,
  plain: Buffer,
  counter: number,
  isLittleEndian = false,
): Buffer {
  const suffix = Buffer.alloc(suffixLength(mode));
  if (suffix.length > 0) {
    if (isLittleEndian) suffix.writeUInt32LE(counter >>> 0, 0);
    else suffix.writeUInt32BE(counter >>> 0, 0);
  }
  const nonceBytes = suffix.length > 0 ? suffix : head.subarray(0, HEADER);
  if (mode === "aead_aes256_gcm_rtpsize") {
    const cipher = createCipheriv("aes-256-gcm", key, padded(nonceBytes, 12));
    cipher.setAAD(head);
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([head, sealed, cipher.getAuthTag(), suffix]);
  }
  const sealed = Buffer.alloc(plain.length + TAG);
  const nonce = padded(nonceBytes, 24);
  if (mode === "aead_xchacha20_poly1305_rtpsize") {
    sodium().crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, plain, head, null, nonce, key);
  } else {
    sodium().crypto_secretbox_easy(sealed, plain, nonce, key);
  }
  return Buffer.concat([head, sealed, suffix]);
}

function decrypt(
  mode: Mode,
  key: Buffer,
  head: Buffer,
  body: Buffer,
  nonceBytes: Buffer,
): Buffer | undefined {
  const plain = Buffer.alloc(body.length - TAG);
  try {
    if (mode === "aead_aes256_gcm_rtpsize") {
      const decipher = createDecipheriv("aes-256-gcm", key, padded(nonceBytes, 12));
      decipher.setAAD(head);
      decipher.setAuthTag(body.subarray(body.length - TAG));
      return Buffer.concat([
        decipher.update(body.subarray(0, body.length - TAG)),
        decipher.final(),
      ]);
    }
    const nonce = padded(nonceBytes, 24);
    if (mode === "aead_xchacha20_poly1305_rtpsize") {
      sodium().crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, body, head, nonce, key);
      return plain;
    }
    return sodium().crypto_secretbox_open_easy(plain, body, nonce, key) ? plain : undefined;
  } catch {
    return undefined;
  }
}

/** Removes what stands before and behind the payload; undefined when the lengths do not fit. */
function strip(mode: Mode, datagram: Buffer, plain: Buffer): Buffer | undefined {
  const first = datagram[0] ?? 0;
  const csrcs = 4 * (first & 0x0f);
  let start = mode.endsWith("_rtpsize") ? 0 : csrcs;
  if (first & 0x10) {
    const preamble = mode.endsWith("_rtpsize")
      ? datagram.subarray(HEADER + csrcs)
      : plain.subarray(csrcs);
    if (preamble.length < 4) return undefined;
    start += 4 * preamble.readUInt16BE(2) + (mode.endsWith("_rtpsize") ? 0 : 4);
  }
  const padding = first & 0x20 ? (plain[plain.length - 1] ?? 0) : 0;
  if ((first & 0x20 && padding === 0) || start + padding > plain.length) return undefined;
  return plain.subarray(start, plain.length - padding);
}

function clearLength(datagram: Buffer): number {
  const first = datagram[0] ?? 0;
  return HEADER + 4 * (first & 0x0f) + (first & 0x10 ? 4 : 0);
}

function suffixLength(mode: Mode): number {
  if (mode === "xsalsa20_poly1305") return 0;
  return mode === "xsalsa20_poly1305_suffix" ? 24 : 4;
}

function padded(bytes: Buffer, length: number): Buffer {
  const nonce = Buffer.alloc(length);
  bytes.copy(nonce);
  return nonce;
}
