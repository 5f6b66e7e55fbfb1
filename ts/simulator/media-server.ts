/** The UDP side: answers discovery and pings, and sorts out whose packet is what. */

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { open } from "./crypto.ts";
import type { DiscoveryFault, FaultControls } from "./faults.ts";
import type { PacketStyle } from "./packet-style.ts";
import type { MediaKey, VoiceSession } from "./session.ts";
import type { Sessions } from "./sessions.ts";

const DISCOVERY_BYTES = 74;
/** The older form, which today's clients do not ask for. */
const SHORT_ANSWER_BYTES = 70;
const PING = 0x1337cafe;
const PONG = 0x1337f00d;
const RTP_HEADER_BYTES = 12;
/** RTP payload type of Opus. */
export const OPUS_PAYLOAD_TYPE = 120;
/** Three seconds of a hundred speakers, if the system grants it. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** In idle times a client has to show its address now and then; the strictest library beats every 14 s. */
const KEEPALIVE_LIMIT_MS = 40_000;

/** An Opus packet that authenticated. */
export interface AudioPacket {
  header: Buffer;
  sequence: number;
  timestamp: number;
  opus: Buffer;
  /** On the monotonic clock. */
  arrivedNs: bigint;
  /** What is asked for this packet alone when it is forwarded. */
  style?: PacketStyle;
}

/** Datagrams that no session can be blamed for. */
export interface StrayCounts {
  /** From unknown sources. */
  unknown: number;
  /** Discovery requests that are malformed or name an unknown SSRC. */
  discovery: number;
}

/** The media server of a simulator: one socket for all sessions. */
export class MediaServer {
  readonly strays: StrayCounts = { unknown: 0, discovery: 0 };
  readonly #socket: Socket;
  readonly #sessions: Sessions;
  readonly #faults: FaultControls;
  readonly #isLenient: boolean;
  #isClosed = false;
  /** Discovery answers that wait. */
  readonly #late = new Set<NodeJS.Timeout>();
  readonly #onAudio: (session: VoiceSession, packet: AudioPacket) => void;

  private constructor(
    socket: Socket,
    isLenient: boolean,
    sessions: Sessions,
    faults: FaultControls,
    onAudio: (session: VoiceSession, packet: AudioPacket) => void,
  ) {
    this.#socket = socket;
    this.#sessions = sessions;
    this.#faults = faults;
    this.#isLenient = isLenient;
    this.#onAudio = onAudio;
    socket.on("message", (datagram, from) => this.#receive(datagram, from));
    // Sending to a client that has gone away is reported here; there is nothing to do about it.
    socket.on("error", () => undefined);
  }

  /**
   * Binds the socket.
   *
   * @throws the system's error when the address cannot be bound.
   */
  static start(
    place: { host: string; port: number; isLenient: boolean },
    sessions: Sessions,
    faults: FaultControls,
    onAudio: (session: VoiceSession, packet: AudioPacket) => void,
  ): Promise<MediaServer> {
    return new Promise((resolve, reject) => {
      const socket = createSocket({ type: "udp4", recvBufferSize: RECEIVE_BUFFER_BYTES });
      socket.once("error", reject);
      socket.bind(place.port, place.host, () => {
        socket.off("error", reject);
        resolve(new MediaServer(socket, place.isLenient, sessions, faults, onAudio));
      });
    });
  }

  /** Where clients send to. */
  get address(): { address: string; port: number } {
    return this.#socket.address();
  }

  /** Sends a datagram to a session's client, if its address is known. */
  send(session: VoiceSession, datagram: Buffer): void {
    if (this.#isClosed || !session.remote) return;
    this.#socket.send(datagram, session.remote.port, session.remote.address);
  }

  /** Closes the socket. */
  close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#late) clearTimeout(timer);
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #receive(datagram: Buffer, from: RemoteInfo): void {
    const arrivedNs = process.hrtime.bigint();
    const session = this.#sessions.at(from);
    if (session) this.#noteSilence(session);
    if (datagram.length === DISCOVERY_BYTES && datagram.readUInt16BE(0) === 1) {
      return this.#discover(datagram, from);
    }
    if (datagram.length === 8 && datagram.readUInt32BE(0) === PING) this.#pong(datagram, from);
    if (datagram.length < RTP_HEADER_BYTES) {
      if (session) session.counts.keepalives += 1;
      else this.strays.unknown += 1;
      return;
    }
    this.#rtp(session, datagram, from, arrivedNs);
  }

  #noteSilence(session: VoiceSession): void {
    const nowMs = performance.now();
    const quietMs = nowMs - (session.lastDatagramMs ?? nowMs);
    session.lastDatagramMs = nowMs;
    if (quietMs > KEEPALIVE_LIMIT_MS) {
      const seconds = Math.round(quietMs / 1000);
      session.object("keepalive_missing", `no datagram came for ${seconds} s`);
    }
  }

  /** Only a request with an all-zero address field is answered, as real servers do. */
  #discover(request: Buffer, from: RemoteInfo): void {
    const ssrc = request.readUInt32BE(4);
    const session = this.#sessions.withSsrc(ssrc);
    if (!session) {
      this.strays.discovery += 1;
      return;
    }
    if (request.readUInt16BE(2) !== 70 || request.subarray(8).some((byte) => byte !== 0)) {
      // Anybody can name an SSRC, so only its owner's address is blamed.
      if (session.remote && this.#sessions.at(from) !== session) this.strays.discovery += 1;
      else session.object("discovery_malformed", "a discovery request is not filled with zeros");
      if (!this.#isLenient) return;
    }
    session.counts.discoveries += 1;
    const fault = this.#faults.takeDiscovery();
    if (fault === "drop") return;
    // Anybody can name an SSRC: later requests from elsewhere are answered, but move nothing.
    if (!session.remote) this.#sessions.place(session, from);
    session.noteDiscovered(from);
    this.#answer(discoveryAnswer(ssrc, from), from, fault);
  }

  #answer(answer: Buffer, to: RemoteInfo, fault: DiscoveryFault | undefined): void {
    const send = (datagram = answer): void => this.#socket.send(datagram, to.port, to.address);
    if (typeof fault === "object") {
      const timer = setTimeout(() => {
        this.#late.delete(timer);
        send();
      }, fault.delayMs);
      this.#late.add(timer);
      return;
    }
    if (fault === "duplicate") send();
    if (fault === "wrong_ssrc") answer.writeUInt32BE(answer.readUInt32BE(4) ^ 1, 4);
    if (fault === "wrong_type") answer.writeUInt16BE(3, 0);
    send(fault === "short" ? answer.subarray(0, SHORT_ANSWER_BYTES) : answer);
  }

  #pong(ping: Buffer, from: RemoteInfo): void {
    const pong = Buffer.from(ping);
    pong.writeUInt32BE(PONG, 0);
    this.#socket.send(pong, from.port, from.address);
  }

  #rtp(
    atSource: VoiceSession | undefined,
    datagram: Buffer,
    from: RemoteInfo,
    arrivedNs: bigint,
  ): void {
    const ssrc = datagram.readUInt32BE(8);
    const second = datagram[1] ?? 0;
    const isRtp = (datagram[0] ?? 0) >> 6 === 2;
    const isRtcp = isRtp && second >= 200 && second <= 207;
    const session = atSource ?? (isRtp ? this.#sessions.withSsrc(ssrc) : undefined);
    if (!session) {
      this.strays.unknown += 1;
      return;
    }
    if (isRtcp || !isRtp) {
      if (atSource) session.counts.foreign += 1;
      else this.strays.unknown += 1;
      return;
    }
    const opened = this.#open(session, datagram, atSource !== undefined);
    if (!opened) return;
    // A client behind a new address is believed once a packet authenticates.
    if (!atSource) this.#sessions.place(session, from);
    if (ssrc !== session.seed.ssrc) {
      session.counts.audioDropped += 1;
      session.object("wrong_ssrc", `a packet has ssrc ${ssrc}, not ${session.seed.ssrc}`);
      return;
    }
    if ((second & 0x7f) !== OPUS_PAYLOAD_TYPE || opened.length === 0) {
      session.counts.foreign += 1;
      return;
    }
    this.#onAudio(session, {
      header: Buffer.from(datagram.subarray(0, RTP_HEADER_BYTES)),
      sequence: datagram.readUInt16BE(2),
      timestamp: datagram.readUInt32BE(4),
      opus: opened,
      arrivedNs,
    });
  }

  /** The payload, if the packet is authentic and new. */
  #open(session: VoiceSession, datagram: Buffer, isBlamed: boolean): Buffer | undefined {
    if (!session.media) {
      if (isBlamed) {
        session.counts.audioDropped += 1;
        session.object("audio_before_session_description", "audio came before a key was given");
      } else this.strays.unknown += 1;
      return undefined;
    }
    for (const media of [session.media, session.formerMedia]) {
      const isValid = media && performance.now() <= media.validUntilMs;
      const opened = isValid && open(media.mode, media.key, datagram);
      if (media && opened)
        return this.#isNew(session, media, opened.nonce) ? opened.payload : undefined;
    }
    if (isBlamed) {
      session.counts.audioDropped += 1;
      session.object("tag_invalid", `a packet of ${datagram.length} bytes is not authentic`);
    } else this.strays.unknown += 1;
    return undefined;
  }

  #isNew(session: VoiceSession, media: MediaKey, nonce: Buffer): boolean {
    if (media.nonces.record(nonce)) return true;
    session.counts.audioDropped += 1;
    session.object("nonce_reused", `nonce ${nonce.toString("hex")} was used twice under one key`);
    return false;
  }
}

function discoveryAnswer(ssrc: number, to: RemoteInfo): Buffer {
  const answer = Buffer.alloc(DISCOVERY_BYTES);
  answer.writeUInt32BE(0x00020046, 0);
  answer.writeUInt32BE(ssrc, 4);
  answer.write(to.address, 8, "latin1");
  answer.writeUInt16BE(to.port, 72);
  return answer;
}
