/** The receiving side of a flow: what is heard, recorded and counted, as it crosses from Rust. */

import { AudioBatch } from "./audio-batch.ts";
import type { BindingEngine, BindingEvent } from "./generated/binding.js";
import { succeed, unwrap } from "./unwrap.ts";

/** Samples per second of decoded sound. */
export type PcmSampleRate = 8000 | 12_000 | 16_000 | 24_000 | 48_000;

/** The form of decoded sound: interleaved signed 16-bit samples, little endian. */
export interface PcmFormat {
  sampleRate: PcmSampleRate;
  channels: 1 | 2;
}

/** One form of sound for some users. */
export interface AudioOutput {
  /** Chosen by the caller; names the output in batches. */
  id: number;
  /** Whose sound; packets of others are not even decrypted. */
  users: "all" | readonly string[];
  /** Opus packets as they were sent, or decoded with losses concealed. */
  format: "opus" | PcmFormat;
}

/** What a flow hands over of what it hears. */
export interface ReceiveRequest {
  /** None only tells who speaks. */
  outputs: readonly AudioOutput[];
  /** How long sound is gathered before it is handed over, milliseconds, 10 to 1,000. Default 20. */
  batchMs?: number;
}

/** A recording that Rust makes alone: nothing of it reaches JavaScript. */
export interface RecordRequest {
  /** Whom to record. Default: everybody. */
  userId?: string;
  /**
   * The file, made anew. `{user}` in it stands for the user's id and makes a file for each speaker; without it
   * everybody is mixed into one WAV file.
   */
  path: string;
  /** Decoded, or an Ogg Opus file with the packets as they were sent, which holds one speaker. */
  format: "wav" | "ogg";
  /** Samples per second of a WAV file. Default 48,000. */
  sampleRate?: PcmSampleRate;
  /** Channels of a WAV file. Default 2. */
  channels?: 1 | 2;
  /**
   * Whether files begin when the recording does and end with it, so that those of several speakers fit together.
   * Default false: they begin with the first sound. A mix always does.
   */
  fromStart?: boolean;
}

/** One file of a recording that is over. */
export interface RecordedFile {
  path: string;
  /** Whose sound it holds; absent for a mix. */
  userId?: string;
  durationMs: number;
  bytes: number;
}

/** What the receiving side tells besides sound. */
export type ReceiveEvent =
  | { type: "speaking"; userId: string; speaking: boolean }
  | { type: "recording_ended"; recording: number; files: RecordedFile[] }
  | { type: "recording_failed"; recording: number; code: string; message: string };

/** How one user's packets came; several SSRCs of one user are added up. */
export interface UserReceiveStats {
  userId: string;
  packets: number;
  bytes: number;
  /** Packets that never came, or too late. */
  lost: number;
  /** Packets that came after their place was given up. */
  late: number;
  duplicate: number;
  /** Milliseconds that were extrapolated from what came before. */
  concealedMs: number;
  /** Frames that were reconstructed from the packet behind them (in-band FEC). */
  fecRecovered: number;
  /** Times the sender began anew under one SSRC. */
  restarts: number;
  /** Interarrival jitter (RFC 3550), milliseconds. */
  jitterMs: number;
  /** How long a missing packet is waited for at present, milliseconds. */
  waitMs: number;
}

/** Counters of a flow's receiving side, from its creation on. Packets are counted while somebody listens. */
export interface ReceiveStats {
  packets: number;
  /** Packets of users whom nobody wants to hear; they were not decrypted. */
  filtered: number;
  /** Packets of streams that belong to nobody known, dropped after 2 s. */
  unknownSsrc: number;
  /** Packets of other payload types than Opus. */
  foreignPayload: number;
  /** Datagrams that are neither media, control nor an answer. */
  garbage: number;
  rtcp: number;
  rtcpUnreadable: number;
  /** Packets with nothing in them but padding and extensions. */
  empty: number;
  malformedOpus: number;
  /** Packets dropped because decoding or recording fell too far behind. */
  queueDropped: number;
  /** Batches dropped because JavaScript did not take them in time. */
  batchesDropped: number;
  /** Packets that the transport encryption refused, by cause. */
  transportFailures: Record<string, number>;
  /** Packets that end-to-end decryption refused, by cause. */
  mediaFailures: Record<string, number>;
  /** How our own packets arrive, as the server reports it by RTCP. */
  remote?: { loss: number; jitterMs: number };
  users: UserReceiveStats[];
}

/** Takes sound as it comes. */
export type AudioListener = (batch: AudioBatch) => void;

/** The receiving side of one call. */
export interface FlowReceiverLike {
  /** Hears as asked from now on; undefined hears nobody, and packets of others cost nothing. */
  setReceiving(request: ReceiveRequest | undefined): void;
  onAudio(listener: AudioListener | undefined): void;
  onEvent(listener: ((event: ReceiveEvent) => void) | undefined): void;
  mapSsrc(ssrc: number, userId: string): void;
  unmapUser(userId: string): void;
  record(request: RecordRequest): number;
  stopRecording(recording: number): void;
  stats(): ReceiveStats;
}

/** The receiving side of a native flow. */
export class FlowReceiver implements FlowReceiverLike {
  readonly #native: BindingEngine;
  readonly #flow: number;
  #onAudio: AudioListener | undefined;
  #onEvent: ((event: ReceiveEvent) => void) | undefined;
  readonly #recordings = new Set<number>();
  #onIdle: (() => void) | undefined;

  /** @internal */
  constructor(native: BindingEngine, flow: number) {
    this.#native = native;
    this.#flow = flow;
  }

  /**
   * Hears as asked from now on, over new sessions, too.
   *
   * @throws CadenzaError `invalid_argument` for a format or a user id that does not exist; `unknown_flow`
   * after the end.
   */
  setReceiving(request: ReceiveRequest | undefined): void {
    succeed(this.#native.setReceiving(this.#flow, request && toBinding(request)));
  }

  /** Takes sound from now on; undefined leaves it where it is, and the oldest is dropped. */
  onAudio(listener: AudioListener | undefined): void {
    this.#onAudio = listener;
    if (listener) this.#takeAudio();
  }

  /** Told who speaks and what becomes of recordings. */
  onEvent(listener: ((event: ReceiveEvent) => void) | undefined): void {
    this.#onEvent = listener;
  }

  /** Notes whose an SSRC is. */
  mapSsrc(ssrc: number, userId: string): void {
    succeed(this.#native.mapSsrc(this.#flow, ssrc >>> 0, userId));
  }

  /** Forgets a user who has left, with all SSRCs. */
  unmapUser(userId: string): void {
    succeed(this.#native.unmapUser(this.#flow, userId));
  }

  /**
   * Begins a recording; returns its number, which comes back in its one event.
   *
   * @throws CadenzaError `invalid_argument`, `too_many_recordings`, `unknown_flow`.
   */
  record(request: RecordRequest): number {
    const recording = unwrap(this.#native.record(this.#flow, { ...request }));
    this.#recordings.add(recording);
    return recording;
  }

  /** Ends a recording; unknown ones are ignored. */
  stopRecording(recording: number): void {
    this.#native.stopRecording(this.#flow, recording);
  }

  stats(): ReceiveStats {
    const { transportFailures, mediaFailures, remoteLoss, remoteJitterMs, ...rest } =
      this.#native.receiveStats(this.#flow);
    const stats = {
      ...rest,
      transportFailures: byCause(transportFailures),
      mediaFailures: byCause(mediaFailures),
    };
    if (remoteLoss === undefined || remoteJitterMs === undefined) return stats;
    return { ...stats, remote: { loss: remoteLoss, jitterMs: remoteJitterMs } };
  }

  /** @internal Takes an event of the flow; false when it is none of the receiving side's. */
  handle(event: BindingEvent): boolean {
    if (event.kind === "audio_ready") {
      this.#takeAudio();
      return true;
    }
    const known = toReceiveEvent(event);
    if (!known) return false;
    if ("recording" in known) this.#recordings.delete(known.recording);
    try {
      this.#onEvent?.(known);
    } finally {
      if (this.#recordings.size === 0) this.#onIdle?.();
    }
    return true;
  }

  /** The flow ends. Calls `idle` once every recording has told its end, which may be at once. */
  close(idle: () => void): void {
    this.#onAudio = undefined;
    this.#onIdle = idle;
    if (this.#recordings.size === 0) idle();
  }

  #takeAudio(): void {
    while (this.#onAudio) {
      const bytes = this.#native.takeAudio(this.#flow);
      if (!bytes) return;
      try {
        this.#onAudio(new AudioBatch(bytes));
      } catch (error) {
        // The batches behind this one are the business of others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

function toBinding({ outputs, ...rest }: ReceiveRequest) {
  return {
    ...rest,
    outputs: outputs.map(({ id, users, format }) => ({
      id,
      ...(users === "all" ? {} : { users: [...users] }),
      ...(format === "opus" ? {} : format),
    })),
  };
}

function toReceiveEvent(event: BindingEvent): ReceiveEvent | undefined {
  const recording = event.recording ?? 0;
  switch (event.kind) {
    case "speaking":
      return { type: "speaking", userId: event.userId ?? "", speaking: event.speaking ?? false };
    case "recording_ended":
      return { type: "recording_ended", recording, files: (event.files ?? []).map(toFile) };
    case "recording_failed": {
      const { code = "recording_failed", message = "" } = event;
      return { type: "recording_failed", recording, code, message };
    }
    default:
      return undefined;
  }
}

function toFile(file: {
  path: string;
  userId?: string;
  samples: number;
  bytes: number;
}): RecordedFile {
  const { samples, ...rest } = file;
  return { ...rest, durationMs: samples / 48 };
}

function byCause(causes: { cause: string; count: number }[]): Record<string, number> {
  return Object.fromEntries(causes.map(({ cause, count }) => [cause, count]));
}
