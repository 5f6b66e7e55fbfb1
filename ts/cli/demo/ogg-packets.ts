/** Reads the Opus packets out of an Ogg file, to compare them with what a listener heard. */

const PAGE_HEADER_BYTES = 27;

/** The audio packets of the first Ogg Opus stream, or undefined when the bytes are not one. */
export function oggOpusPackets(file: Uint8Array): Uint8Array[] | undefined {
  const packets: Uint8Array[] = [];
  let pieces: Uint8Array[] = [];
  let at = 0;
  while (at + PAGE_HEADER_BYTES <= file.length) {
    if (String.fromCharCode(...file.subarray(at, at + 4)) !== "OggS") return undefined;
    const segments = file[at + 26] ?? 0;
    let data = at + PAGE_HEADER_BYTES + segments;
    for (let segment = 0; segment < segments; segment++) {
      const length = file[at + PAGE_HEADER_BYTES + segment] ?? 0;
      pieces.push(file.subarray(data, data + length));
      data += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(pieces));
      pieces = [];
    }
    at = data;
  }
  const [head, , ...audio] = packets;
  const isOpus =
    head !== undefined && Buffer.from(head.subarray(0, 8)).toString("latin1") === "OpusHead";
  return isOpus ? audio : undefined;
}
