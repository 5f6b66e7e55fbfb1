/** Flows: thin owners of the native side of a call, and of a stream that many calls play. */

import { CadenzaError } from "../support/errors.ts";
import {
  computeVerificationCode,
  type DaveMembers,
  type DaveOptions,
  type DaveServerMessage,
  type DaveStatus,
  openDave,
  passDaveMembers,
  passDaveMessage,
  readDaveStatus,
} from "./dave.ts";
import { type FilterSettings, resolveFilters, resolveVolume, toBinding } from "./filters.ts";
import type { BindingEngine } from "./generated/binding.js";
import type { EncoderOptions, PushRequest } from "./push.ts";
import { FlowReceiver } from "./receive.ts";
import type { StreamLike } from "./stream.ts";
import { type TransportAddresses, toTransportAddresses } from "./transport.ts";
import type { FlowLike, FlowStats, PlayRequest, SessionKeys, TransportTarget } from "./types.ts";
import { succeed } from "./unwrap.ts";

/** Something that plays: a stream that calls subscribe to, and what a call's flow is as well. */
export class Stream implements StreamLike {
  readonly #native: BindingEngine;
  readonly #id: number;
  readonly #forget: () => void;
  /** Settings for what is played later, and those of what plays. */
  #encoder: EncoderOptions = {};
  #playing: EncoderOptions = {};
  #closed = false;

  /** @internal Made by `Engine.createStream`. */
  constructor(native: BindingEngine, id: number, forget: () => void) {
    this.#native = native;
    this.#id = id;
    this.#forget = forget;
  }

  /** The native number of something that plays; undefined for what other code made. */
  static idOf(stream: StreamLike): number | undefined {
    return #id in stream ? stream.#id : undefined;
  }

  /** Whether {@link Stream.close} was called. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Plays a track; it replaces what plays. */
  play(request: PlayRequest): void {
    if (this.#closed) return;
    const { source, encoder: own, ...rest } = request;
    const encoder = { ...this.#encoder, ...own };
    const place =
      source.kind === "file"
        ? { path: source.path }
        : { url: source.url, ...(source.headers && { headers: { ...source.headers } }) };
    this.#playing = encoder;
    succeed(this.#native.play(this.#id, { ...rest, ...place, encoder }));
  }

  /** Stops what plays. */
  stop(): void {
    if (!this.#closed) this.#native.stop(this.#id);
  }

  /** Pauses or resumes what plays. */
  setPaused(paused: boolean): void {
    if (!this.#closed) this.#native.setPaused(this.#id, paused);
  }

  /** Moves to a position in source time, in milliseconds. */
  seek(positionMs: number): void {
    if (!this.#closed) this.#native.seek(this.#id, positionMs);
  }

  /**
   * Replaces all filters, for what plays and for what comes; heard within 60 ms. Undefined turns them off.
   * Frames from JavaScript are never changed.
   *
   * @throws FilterError for settings that cannot be taken; nothing was changed.
   */
  setFilters(filters: FilterSettings | undefined): void {
    const settings = toBinding(resolveFilters(filters ?? {}));
    if (!this.#closed) succeed(this.#native.setFilters(this.#id, settings));
  }

  /**
   * Sets the volume, 0 to 10, where 1 changes nothing; heard within 60 ms.
   *
   * @throws FilterError for a volume that cannot be taken.
   */
  setVolume(volume: number): void {
    const checked = resolveVolume(volume);
    if (!this.#closed) succeed(this.#native.setVolume(this.#id, checked));
  }

  openPush(request: PushRequest): void {
    if (this.#closed) return;
    const { track, pcm, file } = request;
    const encoder = { ...this.#encoder, ...request.encoder };
    this.#playing = encoder;
    const shape = pcm && { sampleType: "s16le", sampleRate: 48_000, channels: 2, ...pcm };
    succeed(
      this.#native.openPush(this.#id, {
        track,
        encoder,
        ...(file && { file }),
        ...(shape && { pcm: shape }),
      }),
    );
  }

  pushFrames(frames: readonly Uint8Array[], end = false): number {
    if (this.#closed) return 0;
    const taken = this.#native.pushFrames(this.#id, [...frames]);
    if (end && taken === frames.length) this.endPush();
    return taken;
  }

  pushBytes(bytes: Uint8Array, end = false): number {
    if (this.#closed) return 0;
    const taken = this.#native.pushBytes(this.#id, bytes);
    if (end && taken === bytes.length) this.endPush();
    return taken;
  }

  endPush(): void {
    if (!this.#closed) this.#native.endPush(this.#id);
  }

  setEncoder(encoder: EncoderOptions): void {
    if (this.#closed) return;
    const playing = { ...this.#playing, ...encoder };
    succeed(this.#native.setEncoder(this.#id, playing));
    this.#playing = playing;
    this.#encoder = { ...this.#encoder, ...encoder };
  }

  /** Counters and state, read without stopping the flow; undefined after {@link Flow.close}. */
  stats(): FlowStats | undefined {
    return this.#closed ? undefined : (this.#native.flowStats(this.#id) ?? undefined);
  }

  /** Ends the flow. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#native.destroyFlow(this.#id);
    this.#forget();
  }
}

/** The native side of one call: its socket, keys, frame queue and place on a pacer. */
export class Flow extends Stream implements FlowLike {
  /** What others send: hearing, recording, counting. */
  readonly receiver: FlowReceiver;
  readonly #native: BindingEngine;
  readonly #id: number;

  /** @internal Made by `Engine.createFlow`. */
  constructor(native: BindingEngine, id: number, forget: () => void) {
    const receiver = new FlowReceiver(native, id);
    super(native, id, () => receiver.close(forget));
    this.receiver = receiver;
    this.#native = native;
    this.#id = id;
  }

  /** Opens a socket towards the voice server and finds the external address (10 tries, 1 s apart). */
  openTransport(target: TransportTarget): void {
    if (!this.isClosed) succeed(this.#native.openTransport(this.#id, target));
  }

  /** Installs mode and key; from here on frames are sent. */
  startSession(session: SessionKeys): void {
    if (!this.isClosed) succeed(this.#native.startSession(this.#id, session));
  }

  /** Closes the socket and forgets the keys; what plays holds its position. */
  closeTransport(): void {
    if (!this.isClosed) this.#native.closeTransport(this.#id);
  }

  /** Both ends of the open transport; undefined where there is none. */
  addresses(): TransportAddresses | undefined {
    return this.isClosed
      ? undefined
      : toTransportAddresses(this.#native.transportAddresses(this.#id));
  }

  /** A session begins; see {@link DaveFlow.daveOpen}. */
  daveOpen(options: DaveOptions): void {
    if (!this.isClosed) openDave(this.#native, this.#id, options);
  }

  /** Hands over a message of the voice gateway about end-to-end encryption, in order. */
  daveMessage(message: DaveServerMessage): void {
    if (!this.isClosed) passDaveMessage(this.#native, this.#id, message);
  }

  /** Users came and went. */
  daveMembers(members: DaveMembers): void {
    if (!this.isClosed) passDaveMembers(this.#native, this.#id, members);
  }

  /** The encrypted session is over. */
  daveClose(): void {
    if (!this.isClosed) this.#native.daveClose(this.#id);
  }

  /** State and counters of end-to-end encryption. */
  daveStatus(): DaveStatus | undefined {
    return this.isClosed ? undefined : readDaveStatus(this.#native, this.#id);
  }

  /** The digits that this bot and a member of the group compare. */
  async verificationCode(userId: string): Promise<string> {
    if (this.isClosed) throw new CadenzaError("unknown_flow", "The flow has been closed.");
    return await computeVerificationCode(this.#native, this.#id, userId);
  }

  /** Plays what a stream plays; see {@link FlowLike}. */
  subscribe(stream: StreamLike | undefined): void {
    if (this.isClosed) return;
    if (!stream) return this.#native.unsubscribe(this.#id);
    const id = Stream.idOf(stream);
    if (id === undefined)
      throw new CadenzaError("wrong_kind", "Only streams can be subscribed to.");
    succeed(this.#native.subscribe(this.#id, id));
  }
}
