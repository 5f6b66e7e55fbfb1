/** Packages that only a simulator needs: optional, so that they burden nobody else, and loaded at their first use. */

import { createRequire } from "node:module";
import type Sodium from "sodium-native";
import { CadenzaError } from "../support/errors.ts";

const require = createRequire(import.meta.url);

/** One Opus stream of 48 kHz stereo, either way. */
export interface OpusCodec {
  /** One packet of 20 ms from 960 interleaved samples of 16 bits. */
  encode(pcm: Buffer): Buffer;
  /** Interleaved samples of 16 bits. */
  decode(packet: Buffer): Buffer;
}

const RATE = 48_000;
const CHANNELS = 2;
const FRAME_SAMPLES = 960;

/**
 * A package by its name.
 *
 * @param purpose What it is needed for, in the words of the error.
 * @throws CadenzaError `package_missing` when it is not installed.
 */
export function optionalPackage<T>(name: string, purpose: string): T {
  const found = tryPackage<T>(name);
  if (found === undefined) throw missing(name, purpose);
  return found;
}

let sodiumModule: typeof Sodium | undefined;

/** libsodium, for every mode but AES-GCM. */
export function sodium(): typeof Sodium {
  sodiumModule ??= optionalPackage<typeof Sodium>(
    "sodium-native",
    "every transport mode but aead_aes256_gcm_rtpsize",
  );
  return sodiumModule;
}

/** libopus: as native code where `@discordjs/opus` is installed, as WebAssembly of `opusscript` elsewhere. */
export function opusCodec(): OpusCodec {
  const native = tryPackage<{
    OpusEncoder: new (rate: number, channels: number) => OpusCodec;
  }>("@discordjs/opus");
  if (native) return new native.OpusEncoder(RATE, CHANNELS);
  const wasm = optionalPackage<OpusScript>("opusscript", "sound from packets and tones");
  const codec = new wasm(RATE, CHANNELS, wasm.Application.AUDIO);
  return {
    encode: (pcm) => codec.encode(pcm, FRAME_SAMPLES),
    decode: (packet) => codec.decode(packet),
  };
}

interface OpusScript {
  new (
    rate: number,
    channels: number,
    application: number,
  ): { encode(pcm: Buffer, frameSamples: number): Buffer; decode(packet: Buffer): Buffer };
  Application: { AUDIO: number };
}

/** Undefined when it is not installed; one that is installed and broken says so itself. */
function tryPackage<T>(name: string): T | undefined {
  try {
    return require(name) as T;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "MODULE_NOT_FOUND" && message.includes(`'${name}'`)) return undefined;
    throw error;
  }
}

function missing(name: string, purpose: string): CadenzaError {
  return new CadenzaError(
    "package_missing",
    `The simulator needs the package ${name} for ${purpose}: npm install ${name}`,
  );
}
