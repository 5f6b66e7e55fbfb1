/** Checks of what users hand over, so that a mistake is an error at the call that made it and touches nothing. */

import { EncryptionMode } from "../gateway/constants.ts";
import { SpeakingFlags } from "../gateway/opcodes.ts";
import type { EncoderOptions, PcmShape } from "../native/push.ts";
import { CadenzaError } from "../support/errors.ts";
import type { OpusFrameProvider, OpusFrameReceiver } from "./frames.ts";
import type { PlayOptions } from "./player.ts";
import type { AudioSource } from "./sources.ts";

/** What an encoder can be told about the sound. */
const SIGNALS: readonly unknown[] = ["auto", "music", "voice"];
/** Bytes of every session key. */
const KEY_BYTES = 32;

/** @throws CadenzaError `invalid_argument`, saying what is wanted. */
export function invalid(message: string): never {
  throw new CadenzaError("invalid_argument", message);
}

/** An id of Discord: a string of digits. Numbers cannot hold them. */
export function checkId(id: unknown, name: string): void {
  if (typeof id === "string" && /^\d{1,20}$/.test(id)) return;
  invalid(`${name} has to be an id of Discord, as a string of digits.`);
}

/** A time or a limit in milliseconds, where one was given. */
export function checkMs(value: unknown, name: string, least = 0): void {
  if (value === undefined) return;
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return;
  invalid(`${name} has to be a number of milliseconds from ${least} on.`);
}

/** Bits of `SpeakingFlags`. */
export function checkSpeaking(flags: unknown): void {
  const all = SpeakingFlags.Microphone | SpeakingFlags.Soundshare | SpeakingFlags.Priority;
  if (typeof flags === "number" && Number.isInteger(flags) && flags >= 0 && flags <= all) return;
  invalid(`Speaking flags are bits of SpeakingFlags, 0 to ${all}.`);
}

/** Something that gives frames. */
export function checkProvider(provider: OpusFrameProvider): void {
  if (isObject(provider) && typeof provider.provideOpusFrame === "function") return;
  invalid("A frame provider has to have a method provideOpusFrame.");
}

/** Something that takes frames. */
export function checkReceiver(receiver: OpusFrameReceiver): void {
  if (isObject(receiver) && typeof receiver.receiveOpusFrame === "function") return;
  invalid("A frame receiver has to have a method receiveOpusFrame.");
}

/** A source that a player knows. */
export function checkSource(source: AudioSource): void {
  if (!isObject(source)) return invalid("A source is an object with a kind.");
  switch (source.kind) {
    case "file":
      return checkText(source.path, "path");
    case "http":
      checkText(source.url, "url");
      return checkHeaders(source.headers);
    case "provider":
      return checkProvider(source.provider);
    case "frames":
      if (isObject(source.frames) && isIterable(source.frames)) return;
      return invalid("frames has to be iterable, or iterable asynchronously.");
    case "stream":
      return checkStream(source.stream);
    case "pcm":
      checkStream(source.stream);
      return checkShape(source.format);
    default:
      return invalid("The kind of a source is file, http, provider, frames, stream or pcm.");
  }
}

/** Where a track begins and ends, and how it is encoded. */
export function checkPlayOptions(options: PlayOptions): void {
  const { startMs, endMs, encoder } = options;
  checkMs(startMs, "startMs");
  checkMs(endMs, "endMs");
  if (endMs !== undefined && endMs <= (startMs ?? 0)) invalid("endMs has to be after startMs.");
  if (encoder !== undefined) checkEncoder(encoder);
}

/** Settings of an encoder; every one may be left out. */
export function checkEncoder(encoder: EncoderOptions): void {
  if (!isObject(encoder)) return invalid("Encoder settings are an object.");
  const { fec, signal } = encoder;
  checkRange(encoder.bitrate, "encoder.bitrate", 6000, 510_000);
  checkRange(encoder.complexity, "encoder.complexity", 0, 10);
  checkRange(encoder.expectedLossPercent, "encoder.expectedLossPercent", 0, 100);
  if (fec !== undefined && typeof fec !== "boolean") invalid("encoder.fec is true or false.");
  if (signal !== undefined && !SIGNALS.includes(signal))
    invalid("encoder.signal is auto, music or voice.");
}

/** Mode and key of a session. */
export function checkSession(session: { mode: unknown; key: unknown }): void {
  const modes: readonly unknown[] = Object.values(EncryptionMode);
  if (!isObject(session) || !modes.includes(session.mode)) {
    return invalid(`A session's mode is one of ${modes.join(", ")}.`);
  }
  const { key } = session;
  if (key instanceof Uint8Array && key.length === KEY_BYTES) return;
  invalid(`A session's key is a Uint8Array of ${KEY_BYTES} bytes.`);
}

function checkStream(stream: unknown): void {
  if (isObject(stream) && isIterable(stream)) return;
  invalid("stream has to be a stream, or something else that yields Uint8Arrays.");
}

function checkShape(format: PcmShape | undefined): void {
  if (format === undefined) return;
  if (!isObject(format)) return invalid("format is an object.");
  const { sampleType } = format;
  if (sampleType !== undefined && sampleType !== "s16le" && sampleType !== "f32le")
    invalid("format.sampleType is s16le or f32le.");
  checkRange(format.sampleRate, "format.sampleRate", 4000, 384_000);
  checkRange(format.channels, "format.channels", 1, 8);
}

function checkRange(value: unknown, name: string, least: number, most: number): void {
  if (value === undefined) return;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most)
    return;
  invalid(`${name} is a whole number from ${least} to ${most}.`);
}

function checkHeaders(headers: unknown): void {
  if (headers === undefined) return;
  const entries = isObject(headers) ? Object.entries(headers) : [["", 0]];
  const fits = ([name, value]: unknown[]): boolean =>
    /^[\w!#$%&'*+.^`|~-]+$/.test(String(name)) &&
    typeof value === "string" &&
    /^[\t\x20-\x7e]{0,8192}$/.test(value);
  if (entries.length <= 32 && entries.every(fits)) return;
  invalid("headers has to be an object of up to 32 header fields with strings of ASCII.");
}

function checkText(value: unknown, name: string): void {
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return;
  invalid(`${name} has to be a string that is not empty and has no NUL in it.`);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isIterable(value: object): boolean {
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}
