/** The voice gateway machine in tables: inputs and times in, outputs out, no socket and no clock. */

import test, { type ExecutionContext } from "ava";
import { closeCode } from "../../ts/gateway/close-codes.ts";
import { step } from "../../ts/gateway/machine.ts";
import type { ServerMessage } from "../../ts/gateway/messages.ts";
import {
  initialState,
  type MachineInput,
  type MachineOutput,
  type MachineState,
} from "../../ts/gateway/state.ts";

const CREDENTIALS = {
  guildId: "1",
  userId: "2",
  channelId: "3",
  sessionId: "s".repeat(32),
  token: "t0k3n",
  endpoint: "c-ams20.discord.media:2087",
};
const KEY = new Uint8Array(32).fill(7);
const MODE = "aead_aes256_gcm_rtpsize";

/** A machine under test: feeds inputs, collects outputs, moves time. */
class Bench {
  state: MachineState;
  nowMs = 1_000_000;

  readonly #random: number;

  constructor(config: Parameters<typeof initialState>[0] = {}, random = 0.5) {
    this.state = initialState(config);
    this.#random = random;
  }

  feed(input: MachineInput): MachineOutput[] {
    const { state, outputs } = step(this.state, input, this.nowMs, this.#random);
    this.state = state;
    return outputs;
  }

  message(message: ServerMessage): MachineOutput[] {
    return this.feed({ type: "message", generation: this.state.socket, message });
  }

  close(code: number): MachineOutput[] {
    return this.feed({ type: "socket_closed", generation: this.state.socket, code });
  }

  /** Connects and opens the socket. */
  open(): MachineOutput[] {
    return this.feed({ type: "socket_open", generation: this.state.socket });
  }

  /** From credentials to a session that sends. */
  establish(): void {
    this.feed({ type: "credentials", credentials: CREDENTIALS });
    this.handshake();
  }

  handshake(ssrc = 7276): void {
    this.open();
    this.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
    this.message({ kind: "ready", ssrc, ip: "203.0.113.40", port: 19_311, modes: [MODE] });
    this.feed({
      type: "discovered",
      generation: this.state.transport,
      address: "198.51.100.17",
      port: 50_004,
    });
    this.message({
      kind: "session_description",
      mode: MODE,
      secretKey: KEY,
      daveProtocolVersion: 0,
    });
  }
}

function sent(outputs: MachineOutput[]): { op: number; d: unknown }[] {
  return outputs.flatMap((output) =>
    output.type === "send" && "d" in output.message ? [output.message] : [],
  );
}

function types(outputs: MachineOutput[]): string[] {
  return outputs.map((output) => output.type);
}

test("the handshake sends what the reference shows, in its order", (t) => {
  const bench = new Bench();
  const connecting = bench.feed({ type: "credentials", credentials: CREDENTIALS });
  const connect = connecting.find((output) => output.type === "connect");
  t.like(connect, { url: "wss://c-ams20.discord.media:2087/?v=8" });
  t.deepEqual(sent(bench.open()), []);

  const hello = sent(bench.message({ kind: "hello", heartbeatIntervalMs: 13_750.0 }));
  t.deepEqual(
    hello.map(({ op }) => op),
    [0, 3],
  );
  t.deepEqual(hello[0]?.d, {
    server_id: "1",
    user_id: "2",
    session_id: CREDENTIALS.sessionId,
    token: "t0k3n",
    channel_id: "3",
    max_dave_protocol_version: 1,
  });
  t.deepEqual(hello[1]?.d, { t: bench.nowMs, seq_ack: -1 });

  const ready = bench.message({
    kind: "ready",
    ssrc: 7276,
    ip: "203.0.113.40",
    port: 19_311,
    modes: ["x", MODE],
  });
  const target = {
    address: "203.0.113.40",
    port: 19_311,
    ssrc: 7276,
    generation: bench.state.transport,
  };
  t.deepEqual(
    ready.find((output) => output.type === "open_transport"),
    { type: "open_transport", target },
  );

  const generation = bench.state.transport;
  const selected = sent(
    bench.feed({ type: "discovered", generation, address: "198.51.100.17", port: 50_004 }),
  );
  t.like(selected[0], {
    op: 1,
    d: { protocol: "udp", data: { address: "198.51.100.17", port: 50_004, mode: MODE } },
  });

  const described = bench.message({
    kind: "session_description",
    mode: MODE,
    secretKey: KEY,
    daveProtocolVersion: 0,
  });
  t.is(bench.state.status, "ready");
  const speaking = described.findIndex(
    (output) => output.type === "send" && output.message.op === 5,
  );
  t.true(
    speaking >= 0 && speaking < types(described).indexOf("start_session"),
    "speaking goes out before the keys are used",
  );
});

test("gateway version 4 sends bare heartbeats and no sequence", (t) => {
  const bench = new Bench({ version: 4 });
  const connecting = bench.feed({ type: "credentials", credentials: CREDENTIALS });
  t.like(
    connecting.find((output) => output.type === "connect"),
    { url: "wss://c-ams20.discord.media:2087/?v=4" },
  );
  bench.open();
  const [, beat] = sent(bench.message({ kind: "hello", heartbeatIntervalMs: 100 }));
  t.is(beat?.d, bench.nowMs);
});

test("seq_ack is the last number seen: zero counts, and so does a smaller one", (t) => {
  const bench = new Bench();
  bench.establish();
  for (const seq of [0, 5, 65_535, 0]) {
    bench.message({ kind: "clients_connect", userIds: [], seq });
    bench.nowMs += 10;
    const [beat] = sent(bench.feed({ type: "timer", timer: "heartbeat" }));
    t.like(beat, { op: 3, d: { seq_ack: seq } });
    bench.message({ kind: "heartbeat_ack", nonce: bench.nowMs });
  }
});

test("acknowledgements give the round trip; a foreign nonce is ignored", (t) => {
  const bench = new Bench();
  bench.establish();
  const sentAt = bench.nowMs;
  bench.nowMs += 42;
  t.deepEqual(bench.message({ kind: "heartbeat_ack", nonce: 1 }), []);
  t.deepEqual(bench.message({ kind: "heartbeat_ack", nonce: sentAt }), [
    { type: "latency", ms: 42 },
  ]);
});

test("two beats without an answer mean a dead socket: close to resume, keep the transport", (t) => {
  const bench = new Bench();
  bench.establish();
  bench.nowMs += 13_750;
  t.is(sent(bench.feed({ type: "timer", timer: "heartbeat" })).length, 1);
  bench.nowMs += 13_750;
  const outputs = bench.feed({ type: "timer", timer: "heartbeat" });
  t.like(
    outputs.find((output) => output.type === "close_socket"),
    { code: 4900 },
  );
  t.false(types(outputs).includes("close_transport"));
  t.is(bench.state.status, "resuming");
});

test("a server heartbeat is answered at once", (t) => {
  const bench = new Bench();
  bench.establish();
  t.is(sent(bench.message({ kind: "heartbeat" }))[0]?.op, 3);
});

test("resume continues the session with the last sequence and repeats speaking", (t) => {
  const bench = new Bench();
  bench.establish();
  bench.feed({ type: "speaking", flags: 1 });
  bench.message({ kind: "clients_connect", userIds: ["9"], seq: 11 });
  const lost = bench.close(1006);
  t.deepEqual(
    lost.filter((output) => output.type === "set_timer"),
    [{ type: "set_timer", timer: "retry", afterMs: 250 }],
    "half a second at most, spread by chance",
  );
  bench.feed({ type: "timer", timer: "retry" });
  bench.open();
  const [resume] = sent(bench.message({ kind: "hello", heartbeatIntervalMs: 13_750 }));
  t.deepEqual(resume, {
    op: 7,
    d: { server_id: "1", session_id: CREDENTIALS.sessionId, token: "t0k3n", seq_ack: 11 },
  });
  const resumed = bench.message({ kind: "resumed" });
  t.is(bench.state.status, "ready");
  t.like(sent(resumed)[0], { op: 5, d: { speaking: 1, ssrc: 7276 } });
  t.false(types(resumed).includes("open_transport"));
});

test("Ready instead of Resumed is a fresh session: the old transport is closed, the new SSRC is used", (t) => {
  const bench = new Bench();
  bench.establish();
  bench.close(1006);
  bench.feed({ type: "timer", timer: "retry" });
  bench.open();
  bench.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
  const outputs = bench.message({
    kind: "ready",
    ssrc: 8000,
    ip: "203.0.113.41",
    port: 1,
    modes: [MODE],
  });
  t.true(types(outputs).indexOf("close_transport") < types(outputs).indexOf("open_transport"));
  t.is(bench.state.ssrc, 8000);
});

test("a second session description replaces the key without a new transport", (t) => {
  const bench = new Bench();
  bench.establish();
  const key = new Uint8Array(32).fill(9);
  const outputs = bench.message({
    kind: "session_description",
    mode: MODE,
    secretKey: key,
    daveProtocolVersion: 0,
  });
  t.deepEqual(
    outputs.find((output) => output.type === "start_session"),
    { type: "start_session", mode: MODE, key },
  );
  t.false(types(outputs).includes("open_transport"));
});

test("new credentials while connected move the call; identical ones change nothing", (t) => {
  const bench = new Bench();
  bench.establish();
  t.deepEqual(bench.feed({ type: "credentials", credentials: { ...CREDENTIALS } }), []);
  const outputs = bench.feed({
    type: "credentials",
    credentials: { ...CREDENTIALS, token: "other" },
  });
  t.like(
    outputs.find((output) => output.type === "close_socket"),
    { code: 1000 },
  );
  t.true(types(outputs).includes("close_transport") && types(outputs).includes("connect"));
  bench.handshake(9000);
  t.is(bench.state.status, "ready");
  t.is(bench.state.seqAck, -1);
});

test("endpoint null drops everything and tries nothing until a new server comes", (t) => {
  const bench = new Bench();
  bench.establish();
  const outputs = bench.feed({ type: "server_lost" });
  t.true(types(outputs).includes("close_transport"));
  t.false(types(outputs).includes("connect"));
  t.is(bench.state.status, "unconnected");
  bench.feed({ type: "credentials", credentials: CREDENTIALS });
  t.is(bench.state.status, "unconnected", "the credentials of the lost server are of no use");
  bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, token: "next" } });
  bench.handshake(9000);
  t.is(bench.state.status, "ready");
});

test("what a replaced socket still says is ignored", (t) => {
  const bench = new Bench();
  bench.establish();
  const old = bench.state.socket;
  bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, token: "other" } });
  const before = bench.state;
  for (const input of [
    { type: "socket_closed", generation: old, code: 4006 },
    { type: "message", generation: old, message: { kind: "resumed" } },
    { type: "discovered", generation: 1, address: "1.2.3.4", port: 5 },
  ] as const) {
    t.deepEqual(bench.feed(input), []);
    t.is(bench.state, before);
  }
});

test("every state times out with a reason", (t) => {
  const phases: [string, (bench: Bench) => void, string][] = [
    ["credentials", (bench) => void bench.feed({ type: "awaiting_credentials" }), "no_credentials"],
    [
      "connecting",
      (bench) => void bench.feed({ type: "credentials", credentials: CREDENTIALS }),
      "connect_timeout",
    ],
    [
      "hello",
      (bench) => {
        bench.feed({ type: "credentials", credentials: CREDENTIALS });
        bench.open();
      },
      "handshake_timeout",
    ],
  ];
  for (const [name, prepare, code] of phases) {
    const bench = new Bench();
    prepare(bench);
    const outputs = bench.feed({ type: "timer", timer: "phase" });
    const status = outputs.find(
      (output) => output.type === "status" && output.reason?.code === code,
    );
    t.truthy(status, name);
  }
});

const ACTIONS: [number, string, string][] = [
  [1000, "resuming", "closed_normal"],
  [1006, "resuming", "closed_abnormal"],
  [4001, "unconnected", "closed_unknown_opcode"],
  [4004, "unconnected", "closed_authentication_failed"],
  [4006, "unconnected", "closed_session_invalid"],
  [4009, "resuming", "closed_session_timeout"],
  [4014, "unconnected", "closed_disconnected"],
  [4015, "resuming", "closed_server_crashed"],
  [4016, "unconnected", "closed_unknown_encryption_mode"],
  [4017, "disconnected", "closed_e2ee_required"],
  [4021, "disconnected", "closed_rate_limited"],
  [4022, "unconnected", "closed_call_terminated"],
  [4999, "unconnected", "closed_unknown"],
];

for (const [code, status, reason] of ACTIONS) {
  test(`close code ${code} leads to ${status}`, (t) => {
    const bench = new Bench();
    bench.establish();
    const outputs = bench.close(code);
    t.is(bench.state.status, status as MachineState["status"]);
    const told = outputs.find((output) => output.type === "status");
    t.like(told, { reason: { code: reason, closeCode: code } });
    t.is(types(outputs).includes("close_transport"), status !== "resuming");
    t.is(types(outputs).includes("rejoin"), closeCode(code).action === "rejoin");
  });
}

test("a code that keeps coming back is escalated, and a loop is broken", (t) => {
  const bench = new Bench();
  bench.establish();
  bench.close(4009);
  t.is(bench.state.status, "resuming");
  resumeOnce(t, bench);
  bench.close(4009);
  t.is(bench.state.status, "unconnected", "the second 4009 within a minute asks for a new session");
  for (let round = 3; round <= 5; round++) {
    t.is(bench.state.status, "unconnected");
    bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, token: `token ${round}` } });
    bench.handshake(9000 + round);
    bench.nowMs += 100;
    bench.close(4006);
  }
  t.is(bench.state.status, "disconnected", "the fifth failure within a minute");
});

test("a refused token asks for one new session, then stops", (t) => {
  const bench = new Bench();
  bench.establish();
  t.true(types(bench.close(4004)).includes("rejoin"));
  bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, token: "next" } });
  bench.open();
  bench.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
  t.false(types(bench.close(4004)).includes("rejoin"));
  t.is(bench.state.status, "disconnected");
});

test("a refused mode is left out the next time; where no other is allowed it is the end", (t) => {
  const other = "aead_xchacha20_poly1305_rtpsize";
  const bench = new Bench({ modes: [MODE, other] });
  bench.establish();
  bench.close(4016);
  bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, token: "next" } });
  bench.open();
  bench.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
  bench.message({ kind: "ready", ssrc: 1, ip: "203.0.113.40", port: 1, modes: [MODE, other] });
  t.is(bench.state.mode, other);
  const strict = new Bench({ modes: [MODE] });
  strict.establish();
  strict.close(4016);
  t.is(strict.state.status, "disconnected");
});

test("the second rejoin in a row waits, spread by chance", (t) => {
  const delays = [0, 1].map((random) => {
    const bench = new Bench({}, random);
    bench.establish();
    t.true(types(bench.close(4006)).includes("rejoin"), "the first asks at once");
    bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, token: "next" } });
    bench.handshake(9000);
    const outputs = bench.close(4006);
    t.false(types(outputs).includes("rejoin"));
    const timer = outputs.find((output) => output.type === "set_timer");
    t.true(types(bench.feed({ type: "timer", timer: "retry" })).includes("rejoin"));
    return timer?.type === "set_timer" ? timer.afterMs : undefined;
  });
  t.deepEqual(delays, [750, 1250]);
});

test("while credentials of a move are awaited the old session plays on", (t) => {
  const bench = new Bench();
  bench.establish();
  const outputs = bench.feed({ type: "awaiting_credentials" });
  t.false(types(outputs).includes("close_transport"));
  bench.close(4014);
  t.is(bench.state.status, "unconnected");
  bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, token: "next" } });
  bench.handshake(9000);
  t.is(bench.state.status, "ready");
});

test("an hour later the same code is resumed again", (t) => {
  const bench = new Bench();
  bench.establish();
  for (let day = 0; day < 20; day++) {
    bench.nowMs += 3_600_000;
    bench.close(4009);
    t.is(bench.state.status, "resuming");
    resumeOnce(t, bench);
  }
});

test("an encrypted call that was not offered ends with a reason a user can act on", (t) => {
  const bench = new Bench({ maxDaveProtocolVersion: 0 });
  bench.feed({ type: "credentials", credentials: CREDENTIALS });
  bench.open();
  bench.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
  bench.message({ kind: "ready", ssrc: 1, ip: "203.0.113.40", port: 1, modes: [MODE] });
  const outputs = bench.message({
    kind: "session_description",
    mode: MODE,
    secretKey: KEY,
    daveProtocolVersion: 1,
  });
  t.false(types(outputs).includes("start_session"));
  t.like(outputs.at(-2), {
    type: "status",
    status: "disconnected",
    reason: { code: "e2ee_required" },
  });
});

test("ws endpoints need the option, other forms are refused", (t) => {
  for (const [endpoint, insecure, ok] of [
    ["ws://127.0.0.1:9", true, true],
    ["ws://127.0.0.1:9", false, false],
    ["http://evil/", true, false],
    ["host:1/path", false, false],
    ["user@host:1", false, false],
  ] as const) {
    const bench = new Bench({ insecureEndpoints: insecure });
    bench.feed({ type: "credentials", credentials: { ...CREDENTIALS, endpoint } });
    t.is(bench.state.status, ok ? "connecting" : "disconnected", endpoint);
  }
});

test("no common mode ends with the modes that are allowed", (t) => {
  const bench = new Bench({ modes: [MODE] });
  bench.feed({ type: "credentials", credentials: CREDENTIALS });
  bench.open();
  bench.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
  bench.message({
    kind: "ready",
    ssrc: 1,
    ip: "203.0.113.40",
    port: 1,
    modes: ["xsalsa20_poly1305"],
  });
  t.is(bench.state.status, "disconnected");
});

function resumeOnce(t: ExecutionContext, bench: Bench): void {
  bench.feed({ type: "timer", timer: "retry" });
  bench.open();
  bench.message({ kind: "hello", heartbeatIntervalMs: 13_750 });
  bench.message({ kind: "resumed" });
  t.is(bench.state.status, "ready");
}
