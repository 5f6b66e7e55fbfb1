/** Seals one speaker's audio for another client, as the media server does: own key, own counter, extras. */

import { type Mode, seal } from "./crypto.ts";
import type { AudioPacket } from "./media-server.ts";
import type { ExtensionStyle, ForwardedAudio, PaddingStyle } from "./packet-style.ts";
import type { SeededRandom } from "./random.ts";
import type { MediaKey, VoiceSession } from "./session.ts";

const EXTENSION_BIT = 0x10;
const PADDING_BIT = 0x20;
const MARKER_BIT = 0x80;
const MAX_CSRCS = 15;
const ONE_BYTE_PROFILE = 0xbede;
const TWO_BYTE_PROFILE = 0x1000;
/** Audio level 0x9E, speaker flags "voice"; the second form has abs-send-time between them. */
const EXTENSIONS: Record<ExtensionStyle, { profile: number; elements: Buffer } | undefined> = {
  none: undefined,
  empty: { profile: ONE_BYTE_PROFILE, elements: Buffer.alloc(0) },
  one_word: { profile: ONE_BYTE_PROFILE, elements: Buffer.from("109e9002", "hex") },
  two_words: { profile: ONE_BYTE_PROFILE, elements: Buffer.from("109e32aabbcc9002", "hex") },
  unknown_profile: {
    profile: TWO_BYTE_PROFILE,
    elements: Buffer.from("0101ff0202beef0300000000", "hex"),
  },
};

/** The datagram for a receiver whose key is known. */
export function forwarded(
  packet: AudioPacket,
  to: VoiceSession,
  media: MediaKey,
  style: ForwardedAudio,
  random: SeededRandom,
): Buffer {
  const extension = EXTENSIONS[packet.style?.extension ?? style.extension];
  const csrcs = Math.min(MAX_CSRCS, packet.style?.csrcs ?? style.csrcs);
  const drawn = drawnPadding(style, random);
  const elements = extension?.elements ?? Buffer.alloc(0);
  const body = Buffer.concat([elements, packet.opus]);
  const padding = paddingBytes(packet.style?.padding ?? drawn);
  const header = Buffer.from(packet.header);
  header[0] =
    0x80 | (extension ? EXTENSION_BIT : 0) | (padding.length > 0 ? PADDING_BIT : 0) | csrcs;
  if (random.chance(style.markerShare)) header[1] = (header[1] ?? 0) | MARKER_BIT;
  const preamble = extension ? extensionPreamble(extension) : Buffer.alloc(0);
  const optional = Buffer.concat([contributors(csrcs, random), preamble]);
  const payload = Buffer.concat([body, padding]);
  const counter = (style.firstCounter + to.sealed++) >>> 0;
  const isLittle = style.counter === "little_endian";
  return isRtpsize(media.mode)
    ? seal(media.mode, media.key, Buffer.concat([header, optional]), payload, counter, isLittle)
    : seal(media.mode, media.key, header, Buffer.concat([optional, payload]), counter, isLittle);
}

function drawnPadding(style: ForwardedAudio, random: SeededRandom): PaddingStyle {
  if (random.chance(style.wrongPaddingShare)) return random.chance(0.5) ? "zero" : "too_large";
  return random.chance(style.paddingShare) ? 1 + random.below(255) : 0;
}

/** In these modes the optional parts of the header are in clear. */
function isRtpsize(mode: Mode): boolean {
  return mode.endsWith("_rtpsize");
}

function contributors(count: number, random: SeededRandom): Buffer {
  return random.bytes(4 * count);
}

function extensionPreamble({ profile, elements }: { profile: number; elements: Buffer }): Buffer {
  const preamble = Buffer.alloc(4);
  preamble.writeUInt16BE(profile, 0);
  preamble.writeUInt16BE(elements.length / 4, 2);
  return preamble;
}

/** The last byte counts the padding, itself included; a wrong count says 0, or more than a short packet has. */
function paddingBytes(style: PaddingStyle): Buffer {
  if (style === "zero") return Buffer.alloc(1);
  if (style === "too_large") return Buffer.alloc(1, 255);
  const bytes = Buffer.alloc(style);
  if (style > 0) bytes[style - 1] = style;
  return bytes;
}
