/** The header of a WAV file of 16-bit stereo samples at 48 kHz. */

const RATE = 48_000;
const FRAME_BYTES = 4;
const MAX_BYTES = 0xffff_ffff;

/** The 44 bytes in front of so many samples per channel; lengths beyond the format's 4 GiB are capped. */
export function wavHeader(samples: number): Buffer {
  const dataBytes = Math.min(samples * FRAME_BYTES, MAX_BYTES - 36);
  const header = Buffer.alloc(44);
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(36 + dataBytes, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(2, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * FRAME_BYTES, 28);
  header.writeUInt16LE(FRAME_BYTES, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(dataBytes, 40);
  return header;
}
