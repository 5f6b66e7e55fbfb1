/** The UDP side: answers discovery and pings, opens what clients send, lets listeners and the others hear it. */

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { type Mode, open, seal } from "./crypto.ts";
import type { Faults } from "./faults.ts";
import type { Rooms } from "./rooms.ts";
import type { Session } from "./session.ts";

const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);
const DISCOVERY_BYTES = 74;
const FRAME_SAMPLES = 960;
/** Nonces remembered per key for the uniqueness check: twenty minutes of sound. */
const MAX_NONCES = 60_000;

/** The media server of a simulator. */
export class MediaServer {
  /** Datagrams that belong to nobody. */
  strangers = 0;
  readonly #socket: Socket;
  readonly #rooms: Rooms;
  readonly #faults: Faults;
  readonly #sessions: () => Iterable<Session>;

  private constructor(
    socket: Socket,
    rooms: Rooms,
    faults: Faults,
    sessions: () => Iterable<Session>,
  ) {
    this.#socket = socket;
    this.#rooms = rooms;
    this.#faults = faults;
    this.#sessions = sessions;
    socket.on("message", (datagram, from) => this.#receive(datagram, from));
    // Sending to a client that has gone away reports here; there is nothing to do about it.
    socket.on("error", () => undefined);
  }

  /** Binds a socket. */
  static start(
    host: string,
    port: number,
    rooms: Rooms,
    faults: Faults,
    sessions: () => Iterable<Session>,
  ): Promise<MediaServer> {
    return new Promise((resolve, reject) => {
      const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
      socket.once("error", reject);
      socket.bind(port, host, () => {
        socket.off("error", reject);
        resolve(new MediaServer(socket, rooms, faults, sessions));
      });
    });
  }

  /** Where clients send to. */
  get address(): { address: string; port: number } {
    return this.#socket.address();
  }

  /** Closes the socket. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #receive(datagram: Buffer, from: RemoteInfo): void {
    if (datagram.length === DISCOVERY_BYTES && datagram.readUInt32BE(0) === 0x00010046) {
      return this.#discover(datagram, from);
    }
    const session = this.#senderOf(from);
    if (!session) {
      this.strangers += 1;
      return;
    }
    if (datagram.length === 8) return this.#keepalive(session, datagram, from);
    if (datagram.length < 12) {
      session.media.bad += 1;
      return;
    }
    this.#hear(session, datagram);
  }

  #discover(request: Buffer, from: RemoteInfo): void {
    const ssrc = request.readUInt32BE(4);
    const session = [...this.#sessions()].find((candidate) => candidate.ssrc === ssrc);
    if (!session) {
      this.strangers += 1;
      return;
    }
    if (request.subarray(8).some((byte) => byte !== 0)) {
      return this.#object(
        session,
        "discovery_not_zero",
        "the discovery request is not filled with zeros",
      );
    }
    if (this.#faults.takesDiscovery()) return;
    session.remote = { address: from.address, port: from.port };
    const answer = Buffer.alloc(DISCOVERY_BYTES);
    answer.writeUInt32BE(0x00020046, 0);
    answer.writeUInt32BE(ssrc, 4);
    answer.write(from.address, 8, "latin1");
    answer.writeUInt16BE(from.port, 72);
    this.#socket.send(answer, from.port, from.address);
  }

  #keepalive(session: Session, datagram: Buffer, from: RemoteInfo): void {
    session.media.keepalives += 1;
    if (datagram.readUInt32BE(0) !== 0x1337cafe) return;
    const pong = Buffer.from(datagram);
    pong.writeUInt32BE(0x1337f00d, 0);
    this.#socket.send(pong, from.port, from.address);
  }

  #senderOf(from: RemoteInfo): Session | undefined {
    for (const session of this.#sessions()) {
      if (session.remote?.port === from.port && session.remote.address === from.address)
        return session;
    }
    return undefined;
  }

  #hear(session: Session, datagram: Buffer): void {
    const { mode, media } = session;
    if (!mode)
      return this.#object(
        session,
        "media_before_keys",
        "a packet came before the session description",
      );
    if (!session.speaking)
      return this.#object(session, "media_before_speaking", "a packet came before op 5");
    if (datagram.readUInt16BE(0) !== 0x8078)
      return this.#object(session, "header", "the first two bytes are not 80 78");
    if (datagram.readUInt32BE(8) !== session.ssrc)
      return this.#object(session, "ssrc", "the SSRC is not the one of Ready");
    const opened = open(mode, session.key, datagram);
    if (!opened) {
      media.bad += 1;
      return this.#object(session, "authentication", "a packet does not authenticate");
    }
    if (media.nonces.has(opened.nonce))
      return this.#object(session, "nonce", "a nonce was used twice");
    if (media.nonces.size < MAX_NONCES) media.nonces.add(opened.nonce);
    this.#checkOrder(session, datagram, opened.payload);
    this.#deliver(session, mode, datagram, opened.payload);
  }

  /** Sequence +1, timestamp in whole frames; five silence frames before every gap. */
  #checkOrder(session: Session, datagram: Buffer, opus: Buffer): void {
    const { media } = session;
    const sequence = datagram.readUInt16BE(2);
    const timestamp = datagram.readUInt32BE(4);
    const step = (timestamp - media.timestamp) >>> 0;
    const isFirst = media.sequence < 0;
    if (!isFirst && sequence !== ((media.sequence + 1) & 0xffff)) {
      this.#object(session, "sequence", `sequence ${sequence} follows ${media.sequence}`);
    }
    if (!isFirst && (step === 0 || step % FRAME_SAMPLES !== 0)) {
      this.#object(session, "timestamp", `the timestamp moved by ${step} samples`);
    }
    if (!isFirst && step > 10 * FRAME_SAMPLES && media.silences < 5) {
      this.#object(
        session,
        "silence",
        `a gap of ${step} samples follows ${media.silences} silence frames`,
      );
    }
    media.sequence = sequence;
    media.timestamp = timestamp;
    media.silences = SILENCE.equals(opus) ? media.silences + 1 : 0;
  }

  #deliver(session: Session, mode: Mode, datagram: Buffer, opus: Buffer): void {
    const heard = {
      userId: session.seat.userId,
      ssrc: session.ssrc,
      sequence: datagram.readUInt16BE(2),
      timestamp: datagram.readUInt32BE(4),
      opus: Buffer.from(opus),
      arrivedMs: performance.now(),
      silence: SILENCE.equals(opus),
    };
    for (const listener of this.#rooms.listenersOf(session.seat)) listener.hear(heard, mode);
    for (const other of this.#sessions()) {
      const isNeighbour = other !== session && other.seat.guildId === session.seat.guildId;
      if (isNeighbour && other.seat.channelId === session.seat.channelId)
        this.#forward(other, datagram, opus);
    }
  }

  /** Sealed anew with the receiver's key and counter, with the header extension that real servers add. */
  #forward(to: Session, datagram: Buffer, opus: Buffer): void {
    if (!to.mode || !to.remote) return;
    to.sealed += 1;
    const isRtpsize = to.mode.endsWith("_rtpsize");
    const header = Buffer.from(datagram.subarray(0, 12));
    header[0] = isRtpsize ? 0x90 : 0x80;
    const head = isRtpsize ? Buffer.concat([header, Buffer.from([0xbe, 0xde, 0, 1])]) : header;
    const plain = isRtpsize ? Buffer.concat([Buffer.from([0x10, 0x9e, 0x90, 0x02]), opus]) : opus;
    this.#socket.send(
      seal(to.mode, to.key, head, plain, to.sealed),
      to.remote.port,
      to.remote.address,
    );
  }

  #object(session: Session, code: string, message: string): void {
    const problem = { code, message, userId: session.seat.userId };
    for (const listener of this.#rooms.listenersOf(session.seat)) listener.object(problem);
  }
}
