/** The far end of a call on loopback: it counts the media it gets. */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Engine, Flow } from "../../ts/native/index.ts";

/** A track of 12 s in Ogg Opus. */
export const tune = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const LONG_MS = 120_000;

/** A socket that counts RTP packets. */
export class Peer {
  #heard = 0;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (datagram) => {
      if ((datagram[0] ?? 0) >> 6 === 2) this.#heard += 1;
    });
  }

  static async open(): Promise<Peer> {
    const socket = createSocket("udp4");
    const peer = new Peer(socket);
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return peer;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Resolves when so many more packets have come. */
  async hears(more: number): Promise<void> {
    const target = this.#heard + more;
    const deadline = Date.now() + LONG_MS;
    while (this.#heard < target) {
      if (Date.now() > deadline) throw new Error(`${this.#heard} packets, not ${target}`);
      await setTimeout(10);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** Plays the tune to a peer. */
export function playFile(engine: Engine, peer: Peer): Flow {
  const flow = engine.createFlow(() => undefined);
  flow.openTransport({ address: "127.0.0.1", port: peer.port, ssrc: 9, generation: 1 });
  flow.startSession({ mode: "aead_aes256_gcm_rtpsize", key: Buffer.alloc(32, 5) });
  flow.play({ track: 1, source: { kind: "file", path: tune } });
  return flow;
}
