/** A batch of sound as Rust packs it: one buffer, read piece by piece where it lies. */

const GROUP_BYTES = 24;
const PIECE_BYTES = 24;
const KINDS = ["sound", "lost", "silence", "end"] as const;

/** What a piece of a stream is. */
export type PieceKind = (typeof KINDS)[number];

/** A piece of one stream. Pieces of a stream follow each other without a hole. */
export interface AudioPiece {
  /** `lost` comes in Opus outputs alone; decoded, losses are sound. After `end` the stream says nothing more. */
  kind: PieceKind;
  /** Extrapolated from what came before. */
  concealed: boolean;
  /** Brought back by the packet behind it; for `lost`, that packet holds a coarse copy (in-band FEC). */
  recovered: boolean;
  /** The packet is a silence frame: its sender has stopped speaking. */
  silent: boolean;
  /** RTP sequence number of a packet, 16 bits. */
  sequence: number;
  /** RTP timestamp of a packet, 32 bits. */
  timestamp: number;
  /** Where the piece begins, in samples at 48 kHz from the stream's first packet on. */
  position: number;
  /** How long it is, in samples at 48 kHz. */
  samples: number;
  /** The Opus packet, or interleaved 16-bit samples; empty for anything but sound. Lives in the batch. */
  data: Uint8Array;
}

/** The pieces of one stream for one output, in order. */
export interface AudioGroup {
  /** The output's id. */
  output: number;
  ssrc: number;
  userId: string;
  pieces: Iterable<AudioPiece>;
}

/** One batch; its memory belongs to whoever takes it. */
export class AudioBatch implements Iterable<AudioGroup> {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  *[Symbol.iterator](): Iterator<AudioGroup> {
    const view = this.#view;
    for (let at = 0; at + GROUP_BYTES <= view.byteLength; ) {
      const start = at + GROUP_BYTES;
      const count = view.getUint32(at + 16, true);
      yield {
        output: view.getUint32(at, true),
        ssrc: view.getUint32(at + 4, true),
        userId: String(view.getBigUint64(at + 8, true)),
        pieces: { [Symbol.iterator]: () => this.#pieces(start, count) },
      };
      at = start + view.getUint32(at + 20, true);
    }
  }

  *#pieces(start: number, count: number): Iterator<AudioPiece> {
    const view = this.#view;
    let at = start;
    for (let left = count; left > 0 && at + PIECE_BYTES <= view.byteLength; left--) {
      const flags = view.getUint8(at + 1);
      const length = view.getUint32(at + 20, true);
      const data = at + PIECE_BYTES;
      yield {
        kind: KINDS[view.getUint8(at)] ?? "end",
        concealed: (flags & 1) !== 0,
        recovered: (flags & 2) !== 0,
        silent: (flags & 4) !== 0,
        sequence: view.getUint16(at + 2, true),
        timestamp: view.getUint32(at + 4, true),
        position: Number(view.getBigUint64(at + 8, true)),
        samples: view.getUint32(at + 16, true),
        data: this.#bytes.subarray(data, data + length),
      };
      at = data + length + ((4 - (length % 4)) % 4);
    }
  }
}
