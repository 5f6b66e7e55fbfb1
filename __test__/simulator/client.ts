/** A voice client written for these tests alone, with `ws`, `dgram`, node:crypto and libsodium. */

import { createCipheriv, createDecipheriv } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import sodium from "sodium-native";
import { type ClientOptions, WebSocket } from "ws";
import type { SimCredentials } from "../../ts/simulator/index.ts";

export const GUILD = "41771983423143937";
export const CHANNEL = "127121515262115840";
export const BOT = "104694319306248192";
export const FRIEND = "852892297661906993";
export const PLACE = { guildId: GUILD, channelId: CHANNEL };
export const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);

/** A parsed text frame. */
export interface Message {
  op: number;
  d: Record<string, unknown> & { [key: string]: never };
  seq?: number;
  raw: string;
}

const TIMEOUT_MS = 10_000;

/** The WebSocket side, with everything received kept in order. */
export class GatewayClient {
  readonly messages: Message[] = [];
  readonly binary: Buffer[] = [];
  readonly socket: WebSocket;
  closeCode: number | undefined;
  #wake: (() => void)[] = [];

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.binary.push(data);
      else this.messages.push({ ...(JSON.parse(String(data)) as Message), raw: String(data) });
      this.#changed();
    });
    this.socket.on("close", (code) => {
      this.closeCode = code;
      this.#changed();
    });
    this.socket.on("error", () => undefined);
  }

  send(op: number, d: unknown): void {
    this.socket.send(JSON.stringify({ op, d }));
  }

  /** The `nth` message with an opcode, once it is there. */
  async message(op: number, nth = 0): Promise<Message> {
    const found = (): Message | undefined => this.messages.filter((m) => m.op === op)[nth];
    await this.until(() => found() !== undefined || this.closeCode !== undefined, `op ${op}`);
    const message = found();
    if (!message) throw new Error(`closed with ${this.closeCode} before op ${op}`);
    return message;
  }

  async closed(): Promise<number> {
    await this.until(() => this.closeCode !== undefined, "close");
    return this.closeCode ?? 0;
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`no ${what} within ${TIMEOUT_MS} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, TIMEOUT_MS);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  get lastSeq(): number {
    return this.messages.findLast((message) => message.seq !== undefined)?.seq ?? -1;
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export function gatewayUrl(endpoint: string, version: number | string = 8): string {
  return `${endpoint.includes("://") ? endpoint : `wss://${endpoint}`}/?v=${version}`;
}

export function identifyBody(c: SimCredentials): Record<string, unknown> {
  return {
    server_id: c.guildId,
    user_id: c.userId,
    session_id: c.sessionId,
    token: c.token,
    max_dave_protocol_version: 0,
  };
}

/** The UDP side. */
export class MediaClient {
  readonly socket: Socket = createSocket("udp4");
  readonly received: Buffer[] = [];

  constructor() {
    this.socket.unref();
    this.socket.on("message", (datagram) => this.received.push(datagram));
  }

  async datagram(test: (datagram: Buffer) => boolean, timeoutMs = TIMEOUT_MS): Promise<Buffer> {
    const known = this.received.find(test);
    if (known) return known;
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const [datagram] = (await once(this.socket, "message", { signal })) as [Buffer];
      if (test(datagram)) return datagram;
    }
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }
}

/** A whole client: both sides, and the state of one outgoing stream. */
export class Client {
  readonly media = new MediaClient();
  readonly credentials: SimCredentials;
  readonly version: number;
  gateway: GatewayClient;
  ssrc = 0;
  mode = "";
  key = Buffer.alloc(32);
  server = { address: "", port: 0 };
  sequence = 0xfffe;
  timestamp = 0xffff_fc40;
  counter = 7;
  /** When the next packet is due on its own 20 ms grid. */
  dueMs = 0;

  constructor(credentials: SimCredentials, version = 8, options: ClientOptions = {}) {
    this.credentials = credentials;
    this.version = version;
    this.gateway = new GatewayClient(gatewayUrl(credentials.endpoint, version), options);
  }

  /** Opens another WebSocket. */
  reconnect(endpoint: string): void {
    this.gateway = new GatewayClient(gatewayUrl(endpoint, this.version));
  }

  /** From Hello to the session description, and op 5. */
  async connect(mode: string, speaking = 1): Promise<this> {
    await this.identify();
    const { address, port } = await this.discover();
    this.select(mode, address, port);
    await this.described();
    if (speaking > 0) this.speak(speaking);
    return this;
  }

  async identify(): Promise<void> {
    await this.gateway.message(8);
    this.gateway.send(0, identifyBody(this.credentials));
    const ready = await this.gateway.message(2);
    this.ssrc = Number(ready.d.ssrc);
    this.server = { address: String(ready.d.ip), port: Number(ready.d.port) };
  }

  async discover(): Promise<{ address: string; port: number }> {
    this.sendDatagram(discoveryRequest(this.ssrc));
    const answer = await this.media.datagram((d) => d.length === 74 && d.readUInt16BE(0) === 2);
    const address = answer.toString("latin1", 8, answer.indexOf(0, 8));
    return { address, port: answer.readUInt16BE(72) };
  }

  select(mode: string, address: string, port: number): void {
    this.gateway.send(1, { protocol: "udp", data: { address, port, mode } });
  }

  async described(nth = 0): Promise<void> {
    const description = await this.gateway.message(4, nth);
    this.mode = String(description.d.mode);
    this.key = Buffer.from(description.d.secret_key as unknown as number[]);
  }

  speak(flags: number): void {
    this.gateway.send(5, { speaking: flags, delay: 0, ssrc: this.ssrc });
  }

  sendDatagram(datagram: Uint8Array): void {
    this.media.socket.send(datagram, this.server.port, this.server.address);
  }

  /** Seals the next packet and moves the stream on. */
  seal(opus: Uint8Array): Buffer {
    const header = Buffer.alloc(12);
    header.writeUInt16BE(0x8078, 0);
    header.writeUInt16BE(this.sequence, 2);
    header.writeUInt32BE(this.timestamp, 4);
    header.writeUInt32BE(this.ssrc, 8);
    this.sequence = (this.sequence + 1) & 0xffff;
    this.timestamp = (this.timestamp + 960) >>> 0;
    return sealPacket(this.mode, this.key, header, opus, this.counter++);
  }

  /** Sends frames on a 20 ms grid. */
  async play(frames: Iterable<Uint8Array>): Promise<void> {
    this.dueMs = Math.max(this.dueMs, performance.now());
    for (const frame of frames) {
      await new Promise((resolve) => setTimeout(resolve, this.dueMs - performance.now()));
      this.sendDatagram(this.seal(frame));
      this.dueMs += 20;
    }
  }

  async close(code = 1000): Promise<void> {
    this.gateway.socket.close(code);
    await this.gateway.closed();
    await this.media.close();
  }
}

export function discoveryRequest(ssrc: number): Buffer {
  const request = Buffer.alloc(74);
  request.writeUInt32BE(0x00010046, 0);
  request.writeUInt32BE(ssrc, 4);
  return request;
}

/** The five modes as section by section of the protocol, independent of the simulator's own code. */
export function sealPacket(
  mode: string,
  key: Buffer,
  header: Buffer,
  plain: Uint8Array,
  counter: number,
): Buffer {
  const suffix = Buffer.alloc(4);
  suffix.writeUInt32LE(counter);
  if (mode === "aead_aes256_gcm_rtpsize") {
    const cipher = createCipheriv("aes-256-gcm", key, Buffer.concat([suffix], 12)).setAAD(header);
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([header, sealed, cipher.getAuthTag(), suffix]);
  }
  const sealed = Buffer.alloc(plain.length + 16);
  const message = Buffer.from(plain);
  if (mode === "aead_xchacha20_poly1305_rtpsize") {
    const nonce = Buffer.concat([suffix], 24);
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, message, header, null, nonce, key);
    return Buffer.concat([header, sealed, suffix]);
  }
  const random = Buffer.concat([Buffer.from("nonce"), suffix], 24);
  const trailer = { xsalsa20_poly1305_lite: suffix, xsalsa20_poly1305_suffix: random }[mode];
  const nonce = Buffer.concat([trailer ?? header], 24);
  sodium.crypto_secretbox_easy(sealed, message, nonce, key);
  return Buffer.concat([header, sealed, trailer ?? Buffer.alloc(0)]);
}

/** The whole plaintext behind the clear part, the header extension's elements and padding included. */
export function openPacket(mode: string, key: Buffer, datagram: Buffer): Buffer {
  const first = datagram[0] ?? 0;
  const isRtpsize = mode.endsWith("_rtpsize");
  const clear = isRtpsize ? 12 + 4 * (first & 0x0f) + (first & 0x10 ? 4 : 0) : 12;
  const suffixBytes = { xsalsa20_poly1305: 0, xsalsa20_poly1305_suffix: 24 }[mode] ?? 4;
  const head = datagram.subarray(0, clear);
  const body = datagram.subarray(clear, datagram.length - suffixBytes);
  const trailer = suffixBytes > 0 ? datagram.subarray(-suffixBytes) : head;
  if (mode === "aead_aes256_gcm_rtpsize") {
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.concat([trailer], 12));
    decipher.setAAD(head).setAuthTag(body.subarray(-16));
    return Buffer.concat([decipher.update(body.subarray(0, -16)), decipher.final()]);
  }
  const plain = Buffer.alloc(body.length - 16);
  const nonce = Buffer.concat([trailer], 24);
  if (mode === "aead_xchacha20_poly1305_rtpsize") {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, body, head, nonce, key);
  } else if (!sodium.crypto_secretbox_open_easy(plain, body, nonce, key)) {
    throw new Error("the tag is wrong");
  }
  return plain;
}

/** The Opus packet in an RTP datagram: contributing sources, extension and padding taken away. */
export function opusIn(mode: string, key: Buffer, datagram: Buffer): Buffer {
  const plain = openPacket(mode, key, datagram);
  const first = datagram[0] ?? 0;
  const csrcs = 4 * (first & 0x0f);
  const isRtpsize = mode.endsWith("_rtpsize");
  const optional = isRtpsize ? datagram.subarray(12) : plain;
  const words = first & 0x10 ? optional.readUInt16BE(csrcs + 2) : 0;
  const preamble = isRtpsize ? 0 : csrcs + (first & 0x10 ? 4 : 0);
  const padding = first & 0x20 ? (plain.at(-1) ?? 0) : 0;
  return Buffer.from(plain.subarray(preamble + words * 4, plain.length - padding));
}
