/** A user played by the simulator: present in a channel, speaking into it, hearing what the others say. */

import type { DaveClientMessage } from "./client-messages.ts";
import { DaveClient } from "./dave/client.ts";
import type { DaveStatus } from "./dave/client-status.ts";
import { type DaveyKeyPair, loadDavey } from "./dave/davey.ts";
import { DaveInbox } from "./dave/inbox.ts";
import type { DaveRooms } from "./dave/rooms.ts";
import type { SimGuild } from "./guild.ts";
import { Listener } from "./listener.ts";
import { type AudioPacket, OPUS_PAYLOAD_TYPE } from "./media-server.ts";
import type { PacketStyle } from "./packet-style.ts";
import type { SeededRandom } from "./random.ts";
import type { SessionLink, VoiceSession } from "./session.ts";
import { FRAME_SAMPLES } from "./stream-check.ts";

const SILENCE_FRAME = Buffer.from([0xf8, 0xff, 0xfe]);
const SILENCE_FRAMES = 5;
const SAMPLES_PER_MS = 48;
const MARKER_BIT = 0x80;

/** Where a member is, and what it begins with. */
export interface MemberOptions {
  guildId: string;
  channelId: string;
  /** Default: an id that no other member has. */
  userId?: string;
  /** RTP sequence number of the first packet. Default: drawn. */
  firstSequence?: number;
  /** RTP timestamp of the first packet. Default: drawn. */
  firstTimestamp?: number;
  /** Most packets of others that are kept. Default as for a listener. */
  maxPackets?: number;
  /** Whether it can do end-to-end encryption, with @snazzah/davey. Default true. */
  dave?: boolean;
}

/** What one packet says other than the stream it belongs to; a foreign number does not move the stream on. */
export interface PacketOverrides extends PacketStyle {
  sequence?: number;
  timestamp?: number;
  /** An SSRC that the server announces to nobody. */
  ssrc?: number;
  /** Default 120: Opus. */
  payloadType?: number;
  marker?: boolean;
  /** "as_is" sends the bytes as given in an encrypted channel, too. Default: encrypted where that is in force. */
  encryption?: "ordinary" | "as_is";
}

/** How {@link SimMember.speak} goes on. */
export interface SpeechOptions {
  /** Milliseconds from frame to frame; 0 sends them at once. Default 20. */
  intervalMs?: number;
  /** When the others are told the SSRC (op 5): before the first packet, after it, or never. Default before. */
  announce?: "first" | "late" | "never";
  /** Whether five silence frames follow. Default true. */
  tail?: boolean;
  /** Ends the speech early. */
  signal?: AbortSignal;
}

/** What a member needs from the simulator around it. */
export interface MemberHost {
  readonly random: SeededRandom;
  /** Opens a session in the channel that the voice state names; undefined when the user is in none. */
  openMember(
    guild: SimGuild,
    userId: string,
    link: SessionLink,
    ear: Listener,
    daveVersion: number,
  ): VoiceSession | undefined;
  readonly dave: DaveRooms;
  /** Tells the others a member's SSRC and flags, the first time. */
  speaking(session: VoiceSession, flags: number): void;
  /** Passes a packet on, as one that arrived from a client. */
  hear(session: VoiceSession, packet: AudioPacket): void;
  /** A session was opened, which somebody may be waiting for. */
  activity(): void;
  /** Takes the user out of its channel. */
  leave(guild: SimGuild, userId: string): void;
}

/** One simulated user in one guild. It follows moves and leaves when it is kicked. */
export class SimMember {
  readonly userId: string;
  /** What the others in the channel said. */
  readonly heard: Listener;
  readonly #host: MemberHost;
  readonly #guild: SimGuild;
  #session: VoiceSession | undefined;
  readonly #canEncrypt: boolean;
  #keys: DaveyKeyPair | undefined;
  #dave: DaveClient | undefined;
  #sequence: number;
  #timestamp: number;
  /** When the last packet of the stream was sent, in monotonic milliseconds. */
  #sentMs: number | undefined;

  constructor(host: MemberHost, guild: SimGuild, userId: string, options: MemberOptions) {
    this.#host = host;
    this.#guild = guild;
    this.userId = userId;
    const { maxPackets, dave = true } = options;
    this.#canEncrypt = dave;
    this.heard = new Listener(maxPackets === undefined ? {} : { maxPackets });
    this.#sequence = options.firstSequence ?? host.random.below(0x1_0000);
    this.#timestamp = options.firstTimestamp ?? host.random.next();
    this.#open();
  }

  /** The SSRC of the present session; 0 when the member is in no channel. */
  get ssrc(): number {
    return this.#session?.seed.ssrc ?? 0;
  }

  /** The channel the member is in; undefined when it is in none. */
  get channelId(): string | undefined {
    return this.#session?.seed.channelId;
  }

  /** How its end-to-end encryption stands; undefined where there is none. */
  get dave(): DaveStatus | undefined {
    return this.#dave?.status;
  }

  /** The verification code that this member and another one share: 45 digits. Costs about a second of CPU. */
  async verificationCode(userId: string): Promise<string> {
    return (await this.#dave?.verificationCode(userId)) ?? "";
  }

  /** Resolves true once its voice is heard as it should be: encrypted, or in clear where that is in force. */
  ready(timeoutMs?: number): Promise<boolean> {
    const isReady = (): boolean => this.#session !== undefined && this.dave?.isReady !== false;
    return this.heard.waitFor(isReady, timeoutMs);
  }

  /**
   * Says Opus frames of 20 ms, in their time. Resolves when the last is sent, or at once when the member leaves.
   *
   * After a pause the timestamp has moved on as the clock did.
   */
  async speak(frames: Iterable<Uint8Array>, options: SpeechOptions = {}): Promise<void> {
    const { intervalMs = 20, announce = "first", tail = true, signal } = options;
    if (announce === "first") this.announce();
    this.#passTime();
    let dueMs = performance.now();
    let isFirst = true;
    for (const opus of tail ? withTail(frames) : frames) {
      if (intervalMs > 0) await until(dueMs);
      if (!this.#session || signal?.aborted) return;
      this.send(opus);
      dueMs += intervalMs;
      if (isFirst && announce === "late") this.announce();
      isFirst = false;
    }
  }

  /** Tells the others that this member speaks with its SSRC: op 5, once, as the real server does. */
  announce(flags = 1): void {
    if (this.#session) this.#host.speaking(this.#session, flags);
  }

  /** What would be sent for an Opus packet; undefined while there is no key to encrypt it with. */
  seal(opus: Uint8Array): Buffer | undefined {
    const bytes = Buffer.from(opus);
    return this.#dave ? this.#dave.seal(bytes) : bytes;
  }

  /** Sends one packet at once. Nobody hears it while the member is in no channel, or has no key. */
  send(opus: Uint8Array, overrides: PacketOverrides = {}): void {
    const session = this.#session;
    if (!session) return;
    const { ssrc = session.seed.ssrc, payloadType = OPUS_PAYLOAD_TYPE, marker } = overrides;
    const { sequence = this.#sequence, timestamp = this.#timestamp } = overrides;
    const isGiven = overrides.encryption === "as_is";
    const payload = isGiven ? Buffer.from(opus) : this.seal(opus);
    if (!payload) {
      this.#timestamp = (this.#timestamp + FRAME_SAMPLES) >>> 0;
      return;
    }
    const header = Buffer.alloc(12);
    header.writeUInt8(0x80, 0);
    header.writeUInt8(payloadType | (marker ? MARKER_BIT : 0), 1);
    header.writeUInt16BE(sequence, 2);
    header.writeUInt32BE(timestamp, 4);
    header.writeUInt32BE(ssrc, 8);
    const arrivedNs = process.hrtime.bigint();
    const packet = { header, sequence, timestamp, opus: payload, arrivedNs };
    this.#host.hear(session, { ...packet, style: overrides });
    const isForeign = sequence !== this.#sequence || timestamp !== this.#timestamp;
    if (isForeign || ssrc !== session.seed.ssrc) return;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + FRAME_SAMPLES) >>> 0;
    this.#sentMs = performance.now();
  }

  /** Leaves the channel for good. Idempotent. */
  leave(): void {
    this.#host.leave(this.#guild, this.userId);
  }

  /** Enters the channel of the voice state, at first and after a move. */
  #open(): void {
    if (this.#session) return;
    const inbox = this.#encrypt();
    const link: SessionLink = {
      transmit: (frame) => inbox?.push(frame),
      close: () => {
        inbox?.close();
        this.#dave = undefined;
        this.#session = undefined;
        // The voice state tells by then whether this was a move.
        queueMicrotask(() => this.#open());
      },
    };
    const version = this.#canEncrypt ? 1 : 0;
    this.#session = this.#host.openMember(this.#guild, this.userId, link, this.heard, version);
    const client = this.#dave;
    if (this.#session && client) {
      this.#session.opens = ({ userId, opus }) => client.open(userId, opus);
    }
    this.#host.activity();
  }

  /** Begins end-to-end encryption for a new session, where the channel has it. */
  #encrypt(): DaveInbox | undefined {
    const channelId = this.#guild.states.get(this.userId)?.channelId;
    if (!this.#canEncrypt || channelId === undefined) return undefined;
    if (!this.#host.dave.offers(this.#guild.id, channelId)) return undefined;
    const davey = loadDavey();
    this.#keys ??= davey.generateP256Keypair();
    const reply = (message: DaveClientMessage): void => {
      if (this.#session) this.#host.dave.message(this.#session, message);
    };
    const options = { userId: this.userId, channelId, keys: this.#keys, reply };
    this.#dave = new DaveClient(davey, options);
    return new DaveInbox(this.#dave, () => this.#host.activity());
  }

  /** Lets the timestamp follow the clock over a pause. */
  #passTime(): void {
    if (this.#sentMs === undefined) return;
    const samples = (performance.now() - this.#sentMs) * SAMPLES_PER_MS;
    const frames = Math.max(0, Math.floor(samples / FRAME_SAMPLES) - 1);
    this.#timestamp = (this.#timestamp + frames * FRAME_SAMPLES) >>> 0;
  }
}

function* withTail(frames: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield* frames;
  for (let count = 0; count < SILENCE_FRAMES; count++) yield SILENCE_FRAME;
}

function until(dueMs: number): Promise<void> | undefined {
  const aheadMs = dueMs - performance.now();
  if (aheadMs <= 0) return undefined;
  return new Promise((resolve) => setTimeout(resolve, aheadMs));
}
