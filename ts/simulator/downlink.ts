/** Everything the media server sends to clients: audio over faulty ways, RTCP, and datagrams nobody asked for. */

import { createSocket, type Socket } from "node:dgram";
import type { FaultControls } from "./faults.ts";
import { forwarded } from "./forward.ts";
import { Link } from "./link.ts";
import type { AudioPacket } from "./media-server.ts";
import type { SeededRandom } from "./random.ts";
import { rtcpDatagram } from "./rtcp.ts";
import type { MediaKey, VoiceSession } from "./session.ts";

/** VP8, as clients number it. */
const VIDEO_PAYLOAD_TYPE = 103;
const VIDEO_BYTES = 600;

/** What the downlink needs from the simulator around it. */
export interface DownlinkHost {
  readonly faults: FaultControls;
  /** For ids and keys; the ways draw from one of their own. */
  readonly random: SeededRandom;
  /** Sends a datagram from the media server to a session's client, if its address is known. */
  send(session: VoiceSession, datagram: Buffer): void;
}

/** The way to all clients. */
export class Downlink {
  readonly #host: DownlinkHost;
  readonly #linkRandom: SeededRandom;
  readonly #links = new Map<VoiceSession, Link>();
  readonly #rtcpMs = new WeakMap<VoiceSession, number>();
  #isClosed = false;
  #stranger: Socket | undefined;

  constructor(host: DownlinkHost, linkRandom: SeededRandom) {
    this.#host = host;
    this.#linkRandom = linkRandom;
  }

  /** Sends one speaker's packet to another client. */
  audio(packet: AudioPacket, to: VoiceSession): void {
    if (!to.media || !to.remote) return;
    const { faults, random } = this.#host;
    const ssrc = packet.header.readUInt32BE(8);
    const { sequence } = packet;
    const datagram = forwarded(packet, to, to.media, faults.forwarded, random);
    this.#linkTo(to).carry(datagram, { toUserId: to.seed.userId, ssrc, sequence });
    if (random.chance(faults.forwarded.foreignShare)) this.#video(packet, to, to.media);
    const nowMs = performance.now();
    const { rtcpIntervalMs } = faults.forwarded;
    if (rtcpIntervalMs === 0) return;
    if (nowMs - (this.#rtcpMs.get(to) ?? Number.NEGATIVE_INFINITY) < rtcpIntervalMs) return;
    this.#rtcpMs.set(to, nowMs);
    this.rtcp(to, { ssrc, isBroken: false });
  }

  /** Sends a sealed RTCP compound packet, which may be made not to authenticate. */
  rtcp(to: VoiceSession, o: { ssrc: number; isBroken: boolean }): void {
    if (!to.media) return;
    this.#host.send(to, rtcpDatagram(to, to.media, this.#host.faults.forwarded, o));
  }

  /** Sends bytes as they are, from the media server or from an address that no client knows. */
  raw(to: VoiceSession, datagram: Buffer, source: "server" | "stranger"): void {
    if (source === "server") return this.#host.send(to, datagram);
    if (this.#isClosed || !to.remote) return;
    this.#stranger ??= createSocket("udp4").on("error", () => undefined);
    this.#stranger.send(datagram, to.remote.port, to.remote.address);
  }

  /** Forgets a session that ended. */
  forget(session: VoiceSession): void {
    this.#links.get(session)?.close();
    this.#links.delete(session);
  }

  /** Drops what is under way and closes the stranger's socket. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const session of [...this.#links.keys()]) this.forget(session);
    const stranger = this.#stranger;
    if (stranger) await new Promise<void>((resolve) => stranger.close(() => resolve()));
  }

  /** Sends what looks like a packet of the speaker's video. */
  #video(beside: AudioPacket, to: VoiceSession, media: MediaKey): void {
    const { faults, random } = this.#host;
    const header = Buffer.from(beside.header);
    header.writeUInt8(VIDEO_PAYLOAD_TYPE, 1);
    header.writeUInt32BE((header.readUInt32BE(8) + 1) >>> 0, 8);
    const opus = random.bytes(VIDEO_BYTES);
    this.#host.send(
      to,
      forwarded({ ...beside, header, opus }, to, media, faults.forwarded, random),
    );
  }

  #linkTo(to: VoiceSession): Link {
    const known = this.#links.get(to);
    if (known) return known;
    const send = (datagram: Buffer): void => this.#host.send(to, datagram);
    const link = new Link(this.#host.faults.link, this.#linkRandom, send);
    this.#links.set(to, link);
    return link;
  }
}
