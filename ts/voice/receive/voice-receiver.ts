/** The receiving side of a connection: who speaks, subscriptions, recordings, statistics. */

import type { ServerMessage } from "../../gateway/index.ts";
import { VoiceOpcode } from "../../gateway/index.ts";
import type {
  AudioBatch,
  AudioGroup,
  AudioPiece,
  FlowReceiverLike,
  ReceiveEvent,
  ReceiveStats,
  RecordRequest,
} from "../../native/index.ts";
import { SafeEmitter } from "../../support/emitter.ts";
import { CadenzaError } from "../../support/errors.ts";
import type { UserFilter } from "../frames.ts";
import { UserAudioStream, type UserStreamOptions } from "./audio-stream.ts";
import type { AudioFormat, ReceivedPacket, ReceivedPcm } from "./received.ts";
import { Recording } from "./recording.ts";
import { AudioSubscription, type SubscribeOptions } from "./subscription.ts";

/** Users that are remembered for filters at most. */
const MAX_USERS = 4096;

/** Events of a {@link VoiceReceiver}. */
export type ReceiverEvents = {
  /** A user began or stopped speaking, judged by packets; listening to it begins to hear. */
  speaking: [userId: string, speaking: boolean];
};

/** Whose sound: everybody's, that of some, or of those for whom a function says yes when they first speak. */
export type UserChoice = "all" | string | readonly string[] | UserFilter;

/** Takes pieces of sound as they come. */
export interface AudioSink {
  piece(group: AudioGroup, piece: AudioPiece): void;
  /** Nothing more comes: the connection is at its end, or the sink was detached. */
  closed(): void;
}

/** One output of the native receiver. */
interface Attachment {
  choice: UserChoice;
  format: AudioFormat;
  sink: AudioSink;
}

/** Hears the other members of a call. Until something is asked for, their packets cost nothing. */
export class VoiceReceiver extends SafeEmitter<ReceiverEvents> {
  readonly #native: FlowReceiverLike | undefined;
  readonly #attachments = new Map<number, Attachment>();
  readonly #recordings = new Map<number, Recording>();
  readonly #speaking = new Set<string>();
  readonly #users = new Set<string>();
  #nextId = 1;
  #watchesSpeaking = false;
  #isClosed = false;

  /** @internal */
  constructor(native: FlowReceiverLike | undefined) {
    super();
    this.#native = native;
    native?.onEvent((event) => this.#onEvent(event));
    native?.onAudio((batch) => this.#onAudio(batch));
  }

  /** Users who speak at present; filled while somebody listens to `speaking` or subscribes. */
  get speaking(): ReadonlySet<string> {
    return this.#speaking;
  }

  /** Adds a listener; one for `speaking` begins to hear. */
  override on<Name extends keyof ReceiverEvents>(
    name: Name,
    listener: (...args: ReceiverEvents[Name]) => void,
  ): this {
    super.on(name, listener);
    this.#watchesSpeaking = true;
    this.#renew();
    return this;
  }

  /**
   * Hears users as Opus packets or as samples, until it is closed or the connection is destroyed. Packets of
   * others are not even decrypted.
   *
   * @throws CadenzaError `invalid_argument` for a format or user id that does not exist; `receiver_closed`;
   * `aborted` by the signal.
   */
  subscribe(options?: SubscribeOptions & { format?: "opus" }): AudioSubscription<ReceivedPacket>;
  subscribe(
    options: SubscribeOptions & { format: Exclude<AudioFormat, "opus"> },
  ): AudioSubscription<ReceivedPcm>;
  subscribe(
    options: SubscribeOptions = {},
  ): AudioSubscription<ReceivedPacket> | AudioSubscription<ReceivedPcm> {
    return AudioSubscription.open(this, options);
  }

  /**
   * One user's sound as a Node stream that keeps time: bytes of 16-bit samples with silence where nothing was
   * sent, or Opus packets, one per chunk. It ends with the connection, or as asked.
   */
  stream(userId: string, options: UserStreamOptions = {}): UserAudioStream {
    return new UserAudioStream(this, userId, options);
  }

  /**
   * Records to files without anything reaching JavaScript; lasts over new sessions and channels of the
   * connection.
   *
   * @throws CadenzaError `invalid_argument`, `too_many_recordings`, `receiver_closed`.
   */
  record(request: RecordRequest): Recording {
    const native = this.#open();
    const id = native.record(request);
    const recording = new Recording(id, () => native.stopRecording(id));
    this.#recordings.set(id, recording);
    return recording;
  }

  /** How well packets come, by user and in all. */
  stats(): ReceiveStats {
    return this.#open().stats();
  }

  /** Adds an output of the native receiver; the foundation of everything above. Returns what takes it away. */
  attach(choice: UserChoice, format: AudioFormat, sink: AudioSink): () => void {
    const id = this.#nextId++;
    this.#open();
    this.#attachments.set(id, { choice, format, sink });
    try {
      this.#renew();
    } catch (error) {
      this.#attachments.delete(id);
      throw error;
    }
    return () => {
      if (this.#attachments.delete(id)) this.#renew();
    };
  }

  /** Takes a message of the voice gateway; called by the connection. */
  handle(message: ServerMessage): void {
    switch (message.kind) {
      case "speaking":
        return this.#map(message.ssrc, message.userId);
      case "client_disconnect":
        return this.#forget(message.userId);
      case "other":
        if (message.op === VoiceOpcode.Video) this.#onVideo(message.d);
    }
  }

  /** Ends every subscription and recording. Idempotent; called by the connection before its flow ends. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const sinks = [...this.#attachments.values()].map(({ sink }) => sink);
    this.#attachments.clear();
    for (const recording of this.#recordings.values()) void recording.stop().catch(() => undefined);
    for (const sink of sinks) sink.closed();
  }

  #open(): FlowReceiverLike {
    if (this.#isClosed || !this.#native) {
      throw new CadenzaError("receiver_closed", "This connection does not receive any more.");
    }
    return this.#native;
  }

  /** Tells the native side what is wanted now. */
  #renew(): void {
    if (this.#isClosed) return;
    const outputs = [...this.#attachments].map(([id, { choice, format }]) => ({
      id,
      format,
      users: this.#chosen(choice),
    }));
    const idle = outputs.length === 0 && !this.#watchesSpeaking;
    this.#native?.setReceiving(idle ? undefined : { outputs });
  }

  #chosen(choice: UserChoice): "all" | string[] {
    if (choice === "all") return "all";
    if (typeof choice === "string") return [choice];
    return typeof choice === "function" ? [...this.#users].filter(guarded(choice)) : [...choice];
  }

  /** Filters are asked first: packets that waited for the announcement go to those who want them by then. */
  #map(ssrc: number, userId: string): void {
    if (this.#isClosed || !isUserId(userId)) return;
    if (!this.#users.has(userId) && this.#users.size < MAX_USERS) {
      this.#users.add(userId);
      const choices = [...this.#attachments.values()].map(({ choice }) => choice);
      if (choices.some((choice) => typeof choice === "function")) this.#renew();
    }
    this.#native?.mapSsrc(ssrc, userId);
  }

  #forget(userId: string): void {
    if (this.#isClosed || !isUserId(userId)) return;
    this.#native?.unmapUser(userId);
    this.#users.delete(userId);
  }

  /** Video messages name the audio stream of a user, too; 0 where there is none. */
  #onVideo(d: unknown): void {
    const { audio_ssrc: ssrc, user_id: userId } = (d ?? {}) as Record<string, unknown>;
    if (typeof ssrc === "number" && ssrc > 0 && typeof userId === "string") this.#map(ssrc, userId);
  }

  #onAudio(batch: AudioBatch): void {
    for (const group of batch) {
      const attachment = this.#attachments.get(group.output);
      if (!attachment) continue;
      for (const piece of group.pieces) attachment.sink.piece(group, piece);
    }
  }

  #onEvent(event: ReceiveEvent): void {
    if (event.type === "speaking") {
      if (event.speaking) this.#speaking.add(event.userId);
      else this.#speaking.delete(event.userId);
      this.emit("speaking", event.userId, event.speaking);
      return;
    }
    const recording = this.#recordings.get(event.recording);
    this.#recordings.delete(event.recording);
    recording?.settle(event);
  }
}

function isUserId(userId: string): boolean {
  return /^\d{1,20}$/.test(userId) && BigInt(userId) < 1n << 64n;
}

/** A filter that throws hears nobody; its error shows as an uncaught one. */
function guarded(filter: UserFilter): UserFilter {
  return (userId) => {
    try {
      return filter(userId);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
      return false;
    }
  };
}
