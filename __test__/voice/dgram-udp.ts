/** A UDP connection of a user's own, over node:dgram and node:crypto, to put in the place of the native one. */

import { createCipheriv } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { UdpAddress } from "../../ts/native/index.ts";
import type { UdpLike, UdpTarget } from "../../ts/voice/udp-connection.ts";

const DISCOVERY_BYTES = 74;

/** Seals with aead_aes256_gcm_rtpsize and sends at once; paces nothing. */
export class DgramUdp implements UdpLike {
  /** How often it was opened, and how often closed while open. */
  readonly counts = { opened: 0, closed: 0, written: 0 };
  externalAddress: UdpAddress | undefined;
  #socket: Socket | undefined;
  #target: UdpTarget | undefined;
  #key: Uint8Array | undefined;
  #sequence = 0;
  #timestamp = 0;
  #nonce = 0;

  get localAddress(): UdpAddress | undefined {
    return this.#socket?.address();
  }

  get remoteAddress(): UdpAddress | undefined {
    return this.#target && { address: this.#target.address, port: this.#target.port };
  }

  async open(target: UdpTarget): Promise<UdpAddress> {
    this.close();
    this.counts.opened += 1;
    const socket = createSocket("udp4");
    this.#socket = socket;
    this.#target = target;
    socket.connect(target.port, target.address);
    await once(socket, "connect");
    const request = Buffer.alloc(DISCOVERY_BYTES);
    request.writeUInt16BE(1, 0);
    request.writeUInt16BE(70, 2);
    request.writeUInt32BE(target.ssrc, 4);
    socket.send(request);
    const [answer] = (await once(socket, "message")) as [Buffer];
    const text = answer.subarray(8, 72);
    const address = text.subarray(0, text.indexOf(0)).toString("ascii");
    this.externalAddress = { address, port: answer.readUInt16BE(72) };
    return this.externalAddress;
  }

  setSession({ mode, key }: { mode: string; key: Uint8Array }): void {
    if (mode !== "aead_aes256_gcm_rtpsize") throw new Error(`no ${mode} here`);
    this.#key = key;
  }

  write(frame: Uint8Array): boolean {
    if (!this.#socket || !this.#target || !this.#key) return false;
    const header = Buffer.alloc(12);
    header.writeUInt16BE(0x8078, 0);
    header.writeUInt16BE(this.#sequence, 2);
    header.writeUInt32BE(this.#timestamp, 4);
    header.writeUInt32BE(this.#target.ssrc, 8);
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(this.#nonce, 0);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(header);
    const sealed = Buffer.concat([cipher.update(frame), cipher.final()]);
    const packet = [header, sealed, cipher.getAuthTag(), nonce.subarray(0, 4)];
    this.#socket.send(Buffer.concat(packet));
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + 960) >>> 0;
    this.#nonce += 1;
    this.counts.written += 1;
    return true;
  }

  close(): void {
    if (this.#socket) this.counts.closed += 1;
    this.#socket?.close();
    this.#socket = undefined;
    this.#key = undefined;
    this.#nonce = 0;
    this.externalAddress = undefined;
  }
}
