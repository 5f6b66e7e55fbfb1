/** The core in one encrypted group with @snazzah/davey, over a gateway of ten lines: each founds, each is welcomed. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { DAVESession } from "@snazzah/davey";
import test, { type ExecutionContext } from "ava";
import {
  type DaveMembers,
  type DaveServerMessage,
  type DaveStatus,
  Engine,
  type FlowEvent,
} from "../../ts/native/index.ts";
import { open } from "../../ts/simulator/crypto.ts";
import {
  appendMessage,
  ExternalSender,
  type SignedProposal,
} from "../../ts/simulator/dave/external-sender.ts";
import { parseCommit } from "../../ts/simulator/dave/mls.ts";

const OURS = "158049329150427136";
const DAVEY = "158533742254751744";
const CHANNEL = "927310423890473011";
const MODE = "aead_aes256_gcm_rtpsize";
const KEY = Buffer.alloc(32, 5);
const LONG_MS = 30_000;
/** Values of the const enums of @snazzah/davey. */
const APPEND = 0;
const AUDIO = 0;

test("our core founds the group and @snazzah/davey hears it", async (t) => {
  const call = await begin(t);
  const { ours, davey } = call;
  ours.proposals(call.add(davey.getSerializedKeyPackage()));
  const { message, welcome } = parseCommit(await ours.payload(28));
  ours.announce(29, 0, message);
  davey.processWelcome(welcome?.bytes ?? Buffer.alloc(0));
  await assertHeard(t, call);
});

test("@snazzah/davey founds the group and welcomes our core", async (t) => {
  const call = await begin(t);
  const { ours, davey } = call;
  const list = appendMessage([call.add(ours.keyPackage)]).subarray(1);
  const made = davey.processProposals(APPEND, list);
  davey.processCommit(made.commit ?? Buffer.alloc(0));
  ours.announce(30, 0, made.welcome ?? Buffer.alloc(0));
  await assertHeard(t, call);
});

test("a third member is added by either, and the sender switches when it is told to", async (t) => {
  for (const winner of ["ours", "davey"] as const) {
    const call = await begin(t);
    const { ours, davey } = call;
    ours.proposals(call.add(davey.getSerializedKeyPackage()));
    const first = parseCommit(await ours.payload(28));
    ours.announce(29, 0, first.message);
    davey.processWelcome(first.welcome?.bytes ?? Buffer.alloc(0));
    const third = new DAVESession(1, "77", CHANNEL);
    third.setExternalSender(call.sender.message);
    ours.members({ joined: ["77"] });
    const add = call.sender.add(1n, third.getSerializedKeyPackage());
    ours.proposals(add);
    const made = davey.processProposals(APPEND, appendMessage([add]).subarray(1));
    const own = parseCommit(await ours.payload(28));
    const commit = winner === "ours" ? own.message : (made.commit ?? Buffer.alloc(0));
    const welcome = winner === "ours" ? own.welcome?.bytes : made.welcome;
    ours.announce(29, 4, commit);
    davey.processCommit(commit);
    third.processWelcome(welcome ?? Buffer.alloc(0));
    t.deepEqual(await ours.event("dave_send"), { type: "dave_send", op: 23, transitionId: 4 });
    ours.execute(4);
    await ours.event("dave_transition");
    await assertHeard(t, call, third);
    t.is(ours.status()?.members.length, 3);
  }
});

test("a broken welcome is answered with op 31 and a new key package", async (t) => {
  const { ours } = await begin(t);
  ours.announce(30, 0, Buffer.from([0, 2, 0, 0]));
  t.deepEqual(await ours.event("dave_send"), { type: "dave_send", op: 31, transitionId: 0 });
  const fresh = await ours.payload(26);
  t.false(fresh.equals(ours.keyPackage));
  t.is(ours.status()?.recoveries, 1);
});

test("what is no message at all is refused, and nothing else happens", async (t) => {
  const { ours } = await begin(t);
  const wrong = (message: object): void => ours.message(message as never);
  const invalid = { code: "invalid_argument" };
  t.throws(() => wrong({ op: 26, payload: Buffer.alloc(3) }), invalid);
  t.throws(() => wrong({ op: 25 }), invalid);
  t.throws(() => wrong({ op: 22, transitionId: 65_536 }), invalid);
  t.throws(() => wrong({ op: 22, transitionId: -1 }), invalid);
  t.throws(() => wrong({ op: 22, transitionId: 0.5 }), invalid);
  for (const op of [25, 27, 29, 30] as const) ours.message({ op, payload: Buffer.alloc(0) });
  await ours.until(() => (ours.status()?.ignored ?? 0) >= 4);
  t.false(ours.status()?.ready);
});

test("codes are for members only", async (t) => {
  const { ours } = await begin(t);
  await t.throwsAsync(ours.code(DAVEY), { code: "dave_not_a_member" });
  await t.throwsAsync(ours.code("nobody"), { code: "invalid_argument" });
});

/** Sends sound through our flow and checks that others hear exactly that; and that codes agree. */
async function assertHeard(t: ExecutionContext, call: Call, third?: DAVESession): Promise<void> {
  const { ours, davey } = call;
  const epoch = Number(davey.epoch);
  const state = await ours.state((state) => state.ready && state.epoch === epoch);
  t.is(state.privacyCode, davey.voicePrivacyCode);
  t.true(state.members.includes(OURS) && state.members.includes(DAVEY));
  t.is(await ours.code(DAVEY), await davey.getVerificationCode(OURS));
  const frames = Array.from({ length: 10 }, (_, n) => Buffer.alloc(40 + n, 0x40 + n));
  const heard = await ours.play(frames);
  for (const listener of third ? [davey, third] : [davey]) {
    const opened = heard.map((frame) => listener.decrypt(OURS, AUDIO, frame));
    t.deepEqual(opened, frames);
  }
  // The pacer counts a packet when it has sent it, which is when it may have been heard already.
  while ((ours.status()?.framesEncrypted ?? 0) < frames.length) await setTimeout(5);
  t.is(ours.status()?.framesEncrypted, frames.length);
}

interface Call {
  sender: ExternalSender;
  ours: OurMember;
  davey: DAVESession;
  add(keyPackage: Buffer): SignedProposal;
}

async function begin(t: ExecutionContext): Promise<Call> {
  t.timeout(120_000);
  const sender = new ExternalSender(CHANNEL);
  const ours = await OurMember.create(t, sender.message);
  const davey = new DAVESession(1, DAVEY, CHANNEL);
  davey.setExternalSender(sender.message);
  return { sender, ours, davey, add: (keyPackage) => sender.add(0n, keyPackage) };
}

type DaveState = Extract<FlowEvent, { type: "dave_state" }>;

/** A flow of the core with its events, its socket and what it sends. */
class OurMember {
  keyPackage: Buffer = Buffer.alloc(0);
  readonly #engine = new Engine();
  readonly #events: FlowEvent[] = [];
  readonly #flow = this.#engine.createFlow((event) => this.#events.push(event));
  readonly #socket = createSocket("udp4");
  readonly #frames: Buffer[] = [];

  static async create(t: ExecutionContext, externalSender: Buffer): Promise<OurMember> {
    const member = new OurMember();
    t.teardown(() => member.#close());
    await member.#connect(externalSender);
    return member;
  }

  proposals(...proposals: SignedProposal[]): void {
    this.message({ op: 27, payload: appendMessage(proposals) });
  }

  announce(op: 29 | 30, transitionId: number, message: Buffer): void {
    const id = Buffer.from([transitionId >> 8, transitionId & 0xff]);
    this.message({ op, payload: Buffer.concat([id, message]) });
  }

  execute(transitionId: number): void {
    this.message({ op: 22, transitionId });
  }

  message(message: DaveServerMessage): void {
    this.#flow.daveMessage(message);
  }

  members(members: DaveMembers): void {
    this.#flow.daveMembers(members);
  }

  status(): DaveStatus | undefined {
    return this.#flow.daveStatus();
  }

  code(userId: string): Promise<string> {
    return this.#flow.verificationCode(userId);
  }

  /** Payload of the next message with this opcode. */
  async payload(op: 26 | 28): Promise<Buffer> {
    const event = await this.#take((event) => event.type === "dave_send" && event.op === op);
    return event.type === "dave_send" && "payload" in event
      ? Buffer.from(event.payload)
      : Buffer.alloc(0);
  }

  event(type: FlowEvent["type"]): Promise<FlowEvent> {
    return this.#take((event) => event.type === type);
  }

  async state(wanted: (state: DaveState) => boolean): Promise<DaveState> {
    return (await this.#take((event) => event.type === "dave_state" && wanted(event))) as DaveState;
  }

  /** Sends these frames, and returns the end-to-end encrypted frames that came out. */
  async play(frames: Buffer[]): Promise<Buffer[]> {
    this.#frames.length = 0;
    this.#flow.pushFrames(frames);
    await this.until(() => this.#frames.length >= frames.length);
    return this.#frames.slice(0, frames.length);
  }

  async until(done: () => boolean): Promise<void> {
    const deadline = Date.now() + LONG_MS;
    while (!done()) {
      if (Date.now() > deadline) throw new Error(`too late; seen: ${JSON.stringify(this.#events)}`);
      await setTimeout(5);
    }
  }

  async #connect(externalSender: Buffer): Promise<void> {
    this.#socket.on("message", (datagram) => this.#hear(datagram));
    this.#socket.bind(0, "127.0.0.1");
    await once(this.#socket, "listening");
    const { port } = this.#socket.address();
    this.#flow.openTransport({ address: "127.0.0.1", port, ssrc: 9, generation: 1 });
    this.#flow.daveMembers({ joined: [DAVEY] });
    this.#flow.daveOpen({ version: 1, userId: OURS, channelId: CHANNEL });
    this.#flow.daveMessage({ op: 25, payload: externalSender });
    this.#flow.startSession({ mode: MODE, key: KEY });
    this.keyPackage = await this.payload(26);
  }

  #hear(datagram: Buffer): void {
    // Discovery and keepalives are not media.
    if ((datagram[0] ?? 0) >> 6 !== 2) return;
    const opened = open(MODE, KEY, datagram);
    if (opened && opened.payload.length > 3) this.#frames.push(Buffer.from(opened.payload));
  }

  async #take(wanted: (event: FlowEvent) => boolean): Promise<FlowEvent> {
    let at = -1;
    await this.until(() => {
      at = this.#events.findIndex(wanted);
      return at >= 0;
    });
    const [event] = this.#events.splice(at, 1);
    if (!event) throw new Error("it was there a moment ago");
    return event;
  }

  async #close(): Promise<void> {
    this.#flow.close();
    this.#socket.close();
    await this.#engine.close();
  }
}
