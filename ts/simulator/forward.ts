/** Seals one speaker's audio for another client, as the media server does: own key, own counter, extras. */

import { type Mode, seal } from "./crypto.ts";
import type { ForwardedAudio } from "./faults.ts";
import type { AudioPacket } from "./media-server.ts";
import type { SeededRandom } from "./random.ts";
import type { MediaKey, VoiceSession } from "./session.ts";

const EXTENSION_BIT = 0x10;
const PADDING_BIT = 0x20;
/** Audio level 0x9E, speaker flags "voice"; the second form has abs-send-time between them. */
const EXTENSIONS: Record<ForwardedAudio["extension"], Buffer | undefined> = {
  none: undefined,
  empty: Buffer.alloc(0),
  one_word: Buffer.from("109e9002", "hex"),
  two_words: Buffer.from("109e32aabbcc9002", "hex"),
};

/** The datagram for a receiver whose key is known. */
export function forwarded(
  packet: AudioPacket,
  to: VoiceSession,
  media: MediaKey,
  style: ForwardedAudio,
  random: SeededRandom,
): Buffer {
  const header = Buffer.from(packet.header);
  const elements = EXTENSIONS[style.extension];
  const padding = random.chance(style.paddingShare)
    ? paddingBytes(1 + random.below(255))
    : undefined;
  header[0] = 0x80 | (elements ? EXTENSION_BIT : 0) | (padding ? PADDING_BIT : 0);
  const preamble = elements ? extensionPreamble(elements) : Buffer.alloc(0);
  const payload = Buffer.concat([
    elements ?? Buffer.alloc(0),
    packet.opus,
    padding ?? Buffer.alloc(0),
  ]);
  const counter = (style.firstCounter + to.sealed++) >>> 0;
  const isLittle = style.counter === "little_endian";
  return isRtpsize(media.mode)
    ? seal(media.mode, media.key, Buffer.concat([header, preamble]), payload, counter, isLittle)
    : seal(media.mode, media.key, header, Buffer.concat([preamble, payload]), counter, isLittle);
}

/** In these modes the extension's preamble is in clear. */
function isRtpsize(mode: Mode): boolean {
  return mode.endsWith("_rtpsize");
}

function extensionPreamble(elements: Buffer): Buffer {
  const preamble = Buffer.from([0xbe, 0xde, 0, 0]);
  preamble.writeUInt16BE(elements.length / 4, 2);
  return preamble;
}

function paddingBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  bytes[count - 1] = count;
  return bytes;
}
