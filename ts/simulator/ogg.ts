/** Writes Opus packets as an Ogg file (RFC 3533, RFC 7845). */

/** Packets per page: even the longest Opus packet (1275 bytes, 6 segments) fits 40 times. */
const PAGE_PACKETS = 40;
const CRC_POLYNOMIAL = 0x04c11db7;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++)
    value = value & 0x80000000 ? (value << 1) ^ CRC_POLYNOMIAL : value << 1;
  return value >>> 0;
});

/** Options of {@link oggOpus}. */
export interface OggOptions {
  /** Samples at 48 kHz that a player drops at the start. Default 0. */
  preSkip?: number;
  /** `KEY=value` comments. */
  comments?: string[];
}

/** An Ogg Opus file of 20 ms packets. `positions` gives each packet's first sample; default: one after the other. */
export function oggOpus(
  packets: readonly Uint8Array[],
  positions?: readonly number[],
  options: OggOptions = {},
): Buffer {
  const { preSkip = 0, comments = [] } = options;
  const pages = [page([head(preSkip)], 0, 0, 2), page([tags(comments)], 0, 1, 0)];
  for (let at = 0; at < packets.length; at += PAGE_PACKETS) {
    const part = packets.slice(at, at + PAGE_PACKETS);
    const lastAt = at + part.length - 1;
    const end = (positions?.[lastAt] ?? lastAt * 960) + 960;
    const isLast = at + PAGE_PACKETS >= packets.length;
    pages.push(page(part, end, pages.length, isLast ? 4 : 0));
  }
  return Buffer.concat(pages);
}

function head(preSkip: number): Buffer {
  const bytes = Buffer.alloc(19);
  bytes.write("OpusHead", 0, "latin1");
  bytes[8] = 1;
  bytes[9] = 2;
  bytes.writeUInt16LE(preSkip, 10);
  bytes.writeUInt32LE(48_000, 12);
  return bytes;
}

function tags(comments: readonly string[]): Buffer {
  const sized = (text: string): Buffer => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const count = Buffer.alloc(4);
  count.writeUInt32LE(comments.length);
  return Buffer.concat([Buffer.from("OpusTags"), sized("cadenza"), count, ...comments.map(sized)]);
}

function page(
  packets: readonly Uint8Array[],
  granule: number,
  sequence: number,
  flags: number,
): Buffer {
  const lacing: number[] = [];
  for (const packet of packets) {
    for (let left = packet.length; left >= 255; left -= 255) lacing.push(255);
    lacing.push(packet.length % 255);
  }
  if (lacing.length > 255) throw new RangeError("An Ogg page holds at most 255 segments.");
  const header = Buffer.alloc(27);
  header.write("OggS", 0, "latin1");
  header[5] = flags;
  header.writeBigInt64LE(BigInt(granule), 6);
  header.writeUInt32LE(0x0cade42a, 14);
  header.writeUInt32LE(sequence, 18);
  header[26] = lacing.length;
  const bytes = Buffer.concat([header, Buffer.from(lacing), ...packets]);
  bytes.writeUInt32LE(crc(bytes), 22);
  return bytes;
}

function crc(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes)
    value = ((value << 8) ^ (CRC_TABLE[((value >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0;
  return value;
}
