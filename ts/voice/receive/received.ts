/** What is heard, as users of the library see it. */

import type { AudioGroup, AudioPiece, PcmFormat } from "../../native/index.ts";
import type { OpusPacket } from "../frames.ts";

/** Where a piece of sound belongs. */
export interface Received {
  userId: string;
  /** Which stream of the user it is. */
  ssrc: number;
  /**
   * Where it begins, in samples at 48 kHz from the stream's first packet on. What lies between two pieces is silence,
   * or was lost.
   */
  position: number;
  /** Its length in samples at 48 kHz: 960 for 20 ms. */
  durationSamples: number;
  /** A silence frame: the sender has stopped speaking. */
  silent: boolean;
}

/** An Opus packet as it was sent; packets come in order and once. */
export interface ReceivedPacket extends Received, OpusPacket {}

/** Decoded sound; what was lost is filled in. */
export interface ReceivedPcm extends Received {
  /** Interleaved, signed 16 bits, at the rate and with the channels asked for. */
  samples: Int16Array;
  /** Extrapolated from what came before: the packet was lost. */
  concealed: boolean;
  /** Brought back by the packet behind it (in-band FEC). */
  recovered: boolean;
}

/** The form in which sound is handed over. */
export type AudioFormat = "opus" | PcmFormat;

/** The packet in a piece; undefined when it holds none. Its bytes are a copy. */
export function toPacket(group: AudioGroup, piece: AudioPiece): ReceivedPacket | undefined {
  if (piece.kind !== "sound") return undefined;
  const { sequence, timestamp } = piece;
  return { ...placed(group, piece), sequence, timestamp, opus: piece.data.slice() };
}

/** The sound in a piece; undefined when it holds none. The samples lie in the batch, which belongs to nobody else. */
export function toPcm(group: AudioGroup, piece: AudioPiece): ReceivedPcm | undefined {
  if (piece.kind !== "sound") return undefined;
  const { concealed, recovered } = piece;
  return { ...placed(group, piece), samples: samplesOf(piece.data), concealed, recovered };
}

function placed({ userId, ssrc }: AudioGroup, piece: AudioPiece): Received {
  const { position, samples: durationSamples, silent } = piece;
  return { userId, ssrc, position, durationSamples, silent };
}

function samplesOf(data: Uint8Array): Int16Array {
  const aligned = data.byteOffset % 2 === 0 ? data : data.slice();
  return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}
