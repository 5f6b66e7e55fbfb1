/** End-to-end encryption in the gateway machine: what reaches the group, in which order, and what comes back. */

import test from "ava";
import type { DaveCommand } from "../../ts/gateway/dave.ts";
import { step } from "../../ts/gateway/machine.ts";
import {
  parseBinary,
  parseText,
  type ServerMessage,
  serialise,
} from "../../ts/gateway/messages.ts";
import {
  initialState,
  type MachineInput,
  type MachineOutput,
  type VoiceCredentials,
} from "../../ts/gateway/state.ts";

const MODE = "aead_aes256_gcm_rtpsize";
const CREDENTIALS = {
  guildId: "1",
  userId: "2",
  channelId: "3",
  sessionId: "s",
  token: "t",
  endpoint: "voice.example:443",
};

class Bench {
  state;
  nowMs = 1000;

  constructor(maxDaveProtocolVersion = 1, credentials: VoiceCredentials = CREDENTIALS) {
    this.state = initialState({ maxDaveProtocolVersion });
    this.feed({ type: "credentials", credentials });
    this.connect();
  }

  connect(): void {
    this.feed({ type: "socket_open", generation: this.state.socket });
    this.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
  }

  feed(input: MachineInput): MachineOutput[] {
    const { state, outputs } = step(this.state, input, this.nowMs);
    this.state = state;
    return outputs;
  }

  message(message: ServerMessage): MachineOutput[] {
    return this.feed({ type: "message", generation: this.state.socket, message });
  }

  describe(daveProtocolVersion: number): MachineOutput[] {
    this.message({ kind: "ready", ssrc: 5, ip: "203.0.113.1", port: 1, modes: [MODE] });
    const generation = this.state.transport;
    this.feed({ type: "discovered", generation, address: "198.51.100.1", port: 2 });
    return this.redescribe(daveProtocolVersion);
  }

  redescribe(daveProtocolVersion: number): MachineOutput[] {
    const secretKey = new Uint8Array(32);
    return this.message({
      kind: "session_description",
      mode: MODE,
      secretKey,
      daveProtocolVersion,
    });
  }

  drop(code: number): MachineOutput[] {
    return this.feed({ type: "socket_closed", generation: this.state.socket, code });
  }
}

function commands(outputs: MachineOutput[]): DaveCommand[] {
  return outputs.flatMap((output) => (output.type === "dave" ? [output.command] : []));
}

function opcodes(outputs: MachineOutput[]): number[] {
  return outputs.flatMap((output) => (output.type === "send" ? [output.message.op] : []));
}

test("the group is opened before the keys are installed: no frame can leave in clear", (t) => {
  const outputs = new Bench().describe(1);
  t.deepEqual(commands(outputs), [{ type: "open", version: 1, userId: "2", channelId: "3" }]);
  const types = outputs.map(({ type }) => type);
  t.true(types.indexOf("dave") < types.indexOf("start_session"));
});

test("version 0 opens the group as well, in clear, so that an upgrade can follow", (t) => {
  t.like(commands(new Bench().describe(0))[0], { type: "open", version: 0 });
});

test("new transport keys in a running session leave the group alone", (t) => {
  const bench = new Bench();
  bench.describe(1);
  t.deepEqual(commands(bench.redescribe(1)), []);
});

test("what comes before the session description reaches the group, in order", (t) => {
  const bench = new Bench();
  const payload = Uint8Array.of(1, 2);
  const early = [
    ...bench.message({ kind: "binary", op: 25, payload, seq: 1 }),
    ...bench.message({ kind: "clients_connect", userIds: ["8", "9"], seq: 2 }),
  ];
  t.deepEqual(commands(early), [
    { type: "message", message: { op: 25, payload } },
    { type: "members", joined: ["8", "9"] },
  ]);
  t.is(bench.state.seqAck, 2);
});

test("every message of the group arrives with its fields, and replies go out in their form", (t) => {
  const bench = new Bench();
  bench.describe(1);
  const read = (op: number, d: object): DaveCommand[] =>
    commands(bench.message(parseText(JSON.stringify({ op, d, seq: 4 }))));
  t.deepEqual(read(21, { transition_id: 7, protocol_version: 0 }), [
    { type: "message", message: { op: 21, transitionId: 7, protocolVersion: 0 } },
  ]);
  t.deepEqual(read(22, { transition_id: 7 }), [
    { type: "message", message: { op: 22, transitionId: 7 } },
  ]);
  t.deepEqual(read(24, { protocol_version: 1, epoch: 1 }), [
    { type: "message", message: { op: 24, epoch: 1, protocolVersion: 1 } },
  ]);
  t.deepEqual(read(13, { user_id: "9" }), [{ type: "members", left: ["9"] }]);
  const welcome = parseBinary(Uint8Array.of(0xff, 0xff, 30, 0, 1, 2));
  const payload = Uint8Array.of(0, 1, 2);
  t.deepEqual(commands(bench.message(welcome)), [
    { type: "message", message: { op: 30, payload } },
  ]);

  const [ready] = bench.feed({ type: "dave_reply", reply: { op: 23, transitionId: 7 } });
  t.deepEqual(ready, { type: "send", message: { op: 23, d: { transition_id: 7 } } });
  const [sent] = bench.feed({ type: "dave_reply", reply: { op: 26, payload } });
  t.deepEqual(sent?.type === "send" && serialise(sent.message), Uint8Array.of(26, 0, 1, 2));
});

test("unknown binary messages go to the user, not to the group", (t) => {
  const bench = new Bench();
  const outputs = bench.message({ kind: "binary", op: 99, payload: new Uint8Array(), seq: 1 });
  t.deepEqual(
    outputs.map(({ type }) => type),
    ["peer"],
  );
});

test("a resume keeps the group and sends its answers afterwards; a new session opens another", (t) => {
  const bench = new Bench();
  bench.describe(1);
  t.deepEqual(commands(bench.drop(1006)), []);
  bench.feed({ type: "timer", timer: "retry" });
  t.deepEqual(bench.feed({ type: "dave_reply", reply: { op: 23, transitionId: 3 } }), []);
  bench.connect();
  // Messages that were missed are replayed before and after Resumed.
  t.is(
    commands(bench.message({ kind: "dave_execute_transition", transitionId: 3, seq: 9 })).length,
    1,
  );
  t.deepEqual(opcodes(bench.message({ kind: "resumed" })), [5, 23]);

  t.deepEqual(commands(bench.drop(4006)), [{ type: "close" }]);
  t.deepEqual(bench.feed({ type: "dave_reply", reply: { op: 23, transitionId: 4 } }), []);
});

test("a group that cannot be brought back asks for a new session", (t) => {
  const bench = new Bench();
  bench.describe(1);
  const reason = { code: "dave_recovery_failed", message: "…" };
  const outputs = bench.feed({ type: "dave_failed", reason });
  t.true(outputs.some(({ type }) => type === "rejoin"));
  t.deepEqual(commands(outputs), [{ type: "close" }]);
});

test("without a channel id an encrypted call ends with a reason that says so, a stage plays", (t) => {
  const { channelId: _, ...credentials } = CREDENTIALS;
  const bench = new Bench(1, credentials);
  const outputs = bench.describe(1);
  t.false(outputs.some(({ type }) => type === "start_session"));
  const status = outputs.find(({ type }) => type === "status");
  t.like(status, { status: "disconnected", reason: { code: "channel_id_required" } });

  bench.feed({ type: "credentials", credentials: { ...credentials, token: "another" } });
  bench.connect();
  t.true(bench.describe(0).some(({ type }) => type === "start_session"));
  bench.message({ kind: "dave_prepare_epoch", epoch: 1, protocolVersion: 1 });
  t.is(bench.state.status, "disconnected");
});

test("encryption that is not offered is neither spoken nor accepted", (t) => {
  const bench = new Bench(0);
  t.deepEqual(commands(bench.message({ kind: "clients_connect", userIds: ["8"] })), []);
  const binary = { kind: "binary", op: 25, payload: new Uint8Array(), seq: 1 } as const;
  t.deepEqual(bench.message(binary), [{ type: "peer", message: binary }]);
  bench.describe(1);
  t.is(bench.state.status, "disconnected");
});
