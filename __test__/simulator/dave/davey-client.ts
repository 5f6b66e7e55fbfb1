/** A voice client of these tests' own with end-to-end encryption by @snazzah/davey, as bots drive it. */

import { DAVESession, generateP256Keypair } from "@snazzah/davey";
import type { DiscordSimulator } from "../../../ts/simulator/index.ts";
import { CHANNEL, Client, GUILD, identifyBody, opusIn, SILENCE } from "../client.ts";

const APPEND = 0;
const AUDIO = 0;
const BASE_ID = 700_000_000_000_000_000n;
let nextId = BASE_ID;

/** A message to or from the server, in the order of the socket. */
export interface Traffic {
  op: number;
  seq: number | undefined;
  d: Record<string, unknown>;
  payload: Buffer;
}

/** A frame of another member. */
export interface Heard {
  userId: string;
  opus: Buffer;
}

export class DaveyClient extends Client {
  readonly userId: string;
  readonly keys = generateP256Keypair();
  dave: DAVESession;
  readonly inbound: Traffic[] = [];
  readonly sent: Traffic[] = [];
  readonly heard: Heard[] = [];
  unopened = 0;
  ignored = 0;
  /** What went wrong while messages were taken. */
  readonly errors: string[] = [];
  /** Whether it answers by itself; off leaves everything to the test. */
  isAutomatic = true;
  /** Whether it confirms transitions. */
  confirms = true;
  isInGroup = false;
  daveVersion = 1;
  executed: number[] = [];
  #startMs: number | undefined;
  #saidFrames = 0;
  readonly #versions = new Map<number, number>();
  inForce = -1;

  constructor(simulator: DiscordSimulator, userId = `${nextId++}`, channelId = CHANNEL) {
    super(simulator.admit({ guildId: GUILD, channelId, userId }));
    this.userId = userId;
    this.dave = new DAVESession(1, userId, channelId, this.keys);
    this.#listen();
    this.media.socket.on("message", (datagram: Buffer) => this.#hear(datagram));
  }

  /** Joins and waits until its key package, if one is due, is out. */
  static async join(
    simulator: DiscordSimulator,
    o: { userId?: string; channelId?: string } = {},
  ): Promise<DaveyClient> {
    const client = new DaveyClient(simulator, o.userId, o.channelId);
    await client.connect("aead_aes256_gcm_rtpsize");
    return client;
  }

  override async identify(): Promise<void> {
    await this.gateway.message(8);
    const body = identifyBody(this.credentials);
    this.gateway.send(0, { ...body, max_dave_protocol_version: this.daveVersion });
    const ready = await this.gateway.message(2);
    this.ssrc = Number(ready.d.ssrc);
    this.server = { address: String(ready.d.ip), port: Number(ready.d.port) };
  }

  /** Continues the session on a new socket. */
  async resume(seqAck: number): Promise<void> {
    const { guildId, sessionId, token, endpoint } = this.credentials;
    this.reconnect(endpoint);
    this.#listen();
    await this.gateway.message(8);
    const d = { server_id: guildId, session_id: sessionId, token, seq_ack: seqAck };
    this.gateway.send(7, d);
    await this.gateway.message(9);
  }

  /** The last sequence number seen on any message. */
  get seqAck(): number {
    return this.inbound.findLast(({ seq }) => seq !== undefined)?.seq ?? -1;
  }

  get epoch(): number {
    return this.isInGroup ? Number(this.dave.epoch ?? 0n) : 0;
  }

  /** Messages with an opcode that came so far. */
  got(op: number): Traffic[] {
    return this.inbound.filter((message) => message.op === op);
  }

  /** Messages with an opcode that were sent so far. */
  gave(op: number): Traffic[] {
    return this.sent.filter((message) => message.op === op);
  }

  sendBinary(op: number, payload: Buffer): void {
    this.sent.push({ op, seq: undefined, d: {}, payload });
    this.gateway.socket.send(Buffer.concat([Buffer.of(op), payload]));
  }

  sendJson(op: number, d: Record<string, unknown>): void {
    this.sent.push({ op, seq: undefined, d, payload: Buffer.alloc(0) });
    this.gateway.send(op, d);
  }

  sendKeyPackage(): void {
    this.sendBinary(26, this.dave.getSerializedKeyPackage());
  }

  /** Says a frame, encrypted, and five of silence. */
  say(opus: Buffer): void {
    this.#passTime();
    this.sendDatagram(this.seal(this.inForce > 0 ? this.dave.encryptOpus(opus) : opus));
    for (let count = 0; count < 5; count++) this.sendDatagram(this.seal(SILENCE));
    this.#saidFrames += 6;
  }

  /** Lets the timestamp follow the clock. */
  #passTime(): void {
    this.#startMs ??= performance.now();
    const due = Math.floor((performance.now() - this.#startMs) / 20);
    const missing = Math.max(0, due - this.#saidFrames);
    this.#saidFrames += missing;
    this.timestamp = (this.timestamp + missing * 960) >>> 0;
  }

  begin(): void {
    this.isInGroup = false;
    this.dave.reinit(1, this.userId, this.credentials.channelId, this.keys);
    this.sendKeyPackage();
  }

  #listen(): void {
    const { socket } = this.gateway;
    socket.prependListener("message", (data: Buffer, isBinary: boolean) => {
      const message = isBinary
        ? { op: data[2] ?? -1, seq: data.readUInt16BE(0), d: {}, payload: data.subarray(3) }
        : { payload: Buffer.alloc(0), seq: undefined, ...JSON.parse(String(data)) };
      this.inbound.push(message);
      try {
        if (this.isAutomatic) this.#react(message);
      } catch (error) {
        // Proposals for an epoch that is gone are nothing to act upon.
        if (message.op === 27) this.ignored += 1;
        else this.errors.push(`op ${message.op}: ${error}`);
      }
    });
  }

  #react({ op, d, payload }: Traffic): void {
    if (op === 4) {
      this.inForce = Number(d.dave_protocol_version);
      if (this.inForce > 0) this.begin();
    }
    if (op === 24 && d.epoch === 1) this.begin();
    if (op === 25) this.dave.setExternalSender(payload);
    if (op === 27) this.#propose(payload);
    if (op === 29) this.#enter(payload, (rest) => this.dave.processCommit(rest));
    if (op === 30) this.#enter(payload, (rest) => this.dave.processWelcome(rest));
    if (op === 21) this.#prepare(Number(d.transition_id), Number(d.protocol_version));
    if (op === 22) this.#execute(Number(d.transition_id));
  }

  #propose(payload: Buffer): void {
    const { commit, welcome } = this.dave.processProposals(
      payload[0] ?? APPEND,
      payload.subarray(1),
    );
    if (commit) this.sendBinary(28, Buffer.concat([commit, welcome ?? Buffer.alloc(0)]));
  }

  #enter(payload: Buffer, process: (rest: Buffer) => void): void {
    const id = payload.readUInt16BE(0);
    try {
      process(payload.subarray(2));
    } catch {
      this.sendJson(31, { transition_id: id });
      return this.begin();
    }
    this.isInGroup = true;
    this.#prepare(id, 1);
  }

  #prepare(id: number, version: number): void {
    this.#versions.set(id, version);
    if (id === 0) this.#execute(id);
    else if (this.confirms) this.sendJson(23, { transition_id: id });
  }

  #execute(id: number): void {
    this.executed.push(id);
    this.inForce = this.#versions.get(id) ?? this.inForce;
    if (this.inForce === 0) {
      this.isInGroup = false;
      this.dave.reset();
    }
  }

  #hear(datagram: Buffer): void {
    if (datagram.length < 40 || datagram[0] === undefined || datagram[0] >> 6 !== 2) return;
    if (datagram.length === 74 && datagram.readUInt16BE(0) === 2) return;
    const opus = opusIn(this.mode, this.key, datagram);
    const ssrc = datagram.readUInt32BE(8);
    const speaker = this.got(5).find(({ d }) => d.ssrc === ssrc);
    const userId = String(speaker?.d.user_id ?? "");
    if (opus.equals(Buffer.from("f8fffe", "hex"))) return;
    try {
      const plain = this.inForce > 0 ? this.dave.decrypt(userId, AUDIO, opus) : opus;
      this.heard.push({ userId, opus: plain });
    } catch {
      this.unopened += 1;
    }
  }
}

/** Waits for something that the event loop brings about. */
export async function until(condition: () => boolean, what: string, timeoutMs = 20_000) {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether all are in one epoch with the same members, and everything announced was executed. */
export function agree(simulator: DiscordSimulator, clients: readonly DaveyClient[]): boolean {
  const [first] = clients;
  const room = simulator.dave({
    guildId: GUILD,
    channelId: first?.credentials.channelId ?? CHANNEL,
  });
  return (
    clients.every(({ errors }) => errors.length === 0 || fail(errors)) &&
    room.pendingTransitions.length === 0 &&
    room.members.filter((member) => member !== undefined).length >= clients.length &&
    clients.every(
      (client) =>
        client.isInGroup &&
        client.epoch === room.epoch &&
        client.inForce === room.version &&
        client.dave.voicePrivacyCode === first?.dave.voicePrivacyCode,
    )
  );
}

/** Everybody says something and is heard by everybody else, decrypted. */
export async function allHear(clients: readonly DaveyClient[], what: string): Promise<void> {
  for (const speaker of clients) {
    const opus = Buffer.from(
      `78${Buffer.from(`${what} ${speaker.userId}`).toString("hex")}`,
      "hex",
    );
    speaker.say(opus);
    const others = clients.filter((client) => client !== speaker);
    const isHeard = (client: DaveyClient): boolean =>
      client.heard.some((frame) => frame.userId === speaker.userId && frame.opus.equals(opus));
    await until(() => others.every(isHeard), `${what}: ${speaker.userId} is heard`);
  }
}

function fail(errors: readonly string[]): never {
  throw new Error(errors.join("; "));
}
