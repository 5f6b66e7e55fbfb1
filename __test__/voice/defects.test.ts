/** Mistakes that voice libraries are known for, each as a test of what happens here instead. */

import test from "ava";
import { initialState, type MachineOutput, step, VoiceOpcode } from "../../ts/gateway/index.ts";
import { openBench, tune } from "./bench.ts";

test("a join dials at once, without a pause before the first socket", async (t) => {
  await using bench = await openBench();
  const joining = bench.connection.join(bench.channelId);
  const steps: string[] = [];
  bench.connection.on("stateChange", (status) => steps.push(status));
  bench.mainGateway.on("dispatch", ({ t: type }) => steps.push(type));
  await joining;
  const second = steps.lastIndexOf("VOICE_SERVER_UPDATE");
  t.is(steps[second - 1], "connecting", "the dial is part of taking the second event");
});

test("a resume says seq_ack with the last seq seen, of which the first is 0", (t) => {
  let state = initialState({ insecureEndpoints: true });
  const sent: Extract<MachineOutput, { type: "send" }>["message"][] = [];
  const take = (input: Parameters<typeof step>[1]): void => {
    const turn = step(state, input, 0);
    state = turn.state;
    for (const output of turn.outputs) if (output.type === "send") sent.push(output.message);
  };
  const say = (message: Extract<Parameters<typeof step>[1], { type: "message" }>["message"]) =>
    take({ type: "message", generation: state.socket, message });
  const secrets = { sessionId: "s", token: "t", endpoint: "voice.example:443" };
  take({ type: "credentials", credentials: { guildId: "1", userId: "2", ...secrets } });
  take({ type: "socket_open", generation: state.socket });
  say({ kind: "hello", heartbeatIntervalMs: 1000 });
  const mode = "aead_aes256_gcm_rtpsize";
  say({ kind: "ready", ssrc: 5, ip: "127.0.0.1", port: 1, modes: [mode] });
  say({ kind: "clients_connect", userIds: ["3"], seq: 0 });
  take({ type: "discovered", generation: state.transport, address: "192.0.2.1", port: 9 });
  const secretKey = new Uint8Array(32);
  say({ kind: "session_description", mode, secretKey, daveProtocolVersion: 0 });
  take({ type: "socket_closed", generation: state.socket, code: 1006 });
  take({ type: "timer", timer: "retry" });
  take({ type: "socket_open", generation: state.socket });
  sent.length = 0;
  say({ kind: "hello", heartbeatIntervalMs: 1000 });
  const [resume] = sent;
  t.is(resume?.op, VoiceOpcode.Resume);
  const d = resume && "d" in resume ? resume.d : undefined;
  t.deepEqual(d, { server_id: "1", session_id: "s", token: "t", seq_ack: 0 });
});

test("sequence and timestamp begin at random in every session", async (t) => {
  const starts: number[][] = [];
  await using bench = await openBench();
  for (let session = 0; session < 4; session += 1) {
    await bench.connection.join(bench.channelId);
    bench.connection.player.play({ kind: "file", path: tune });
    const from = bench.listener.packets.length;
    t.true(await bench.hears(5));
    const first = bench.listener.packets[from];
    starts.push([first?.sequence ?? 0, first?.timestamp ?? 0]);
    bench.connection.leave();
  }
  t.is(new Set(starts.map(([sequence]) => sequence)).size, 4);
  t.is(new Set(starts.map(([, timestamp]) => timestamp)).size, 4);
  t.true(starts.some(([sequence = 0, timestamp = 0]) => sequence > 255 && timestamp > 65_535));
});

test("the timestamp follows the clock over a pause", async (t) => {
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const { player } = bench.connection;
  const { packets } = bench.listener;
  player.play({ kind: "file", path: tune });
  t.true(await bench.hears(10));
  player.pause();
  t.true(await bench.listener.waitFor(() => packets.slice(-5).every(({ silence }) => silence)));
  const last = packets.at(-1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const from = packets.length;
  player.resume();
  t.true(await bench.hears(5));
  const next = packets[from];
  const samples = ((next?.timestamp ?? 0) - (last?.timestamp ?? 0)) >>> 0;
  t.true(samples >= 0.45 * 48_000, `${samples} samples over half a second of silence`);
  t.is(samples % 960, 0);
  t.is(next?.sequence, ((last?.sequence ?? 0) + 1) & 0xffff);
});

test("keepalives go out every 5 s though nothing was ever played", async (t) => {
  t.timeout(120_000);
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const keepalives = (): number => bench.simulator.sessions()[0]?.counts.keepalives ?? 0;
  const deadline = performance.now() + 60_000;
  while (keepalives() < 3 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.true(keepalives() >= 3, `${keepalives()} in a minute`);
  t.deepEqual(bench.listener.packets, []);
});

test("an acknowledgement with another nonce starts nothing, a missing one a resume", async (t) => {
  await using bench = await openBench({ simulator: { heartbeatIntervalMs: 1000 } });
  const statuses: string[] = [];
  await bench.connection.join(bench.channelId);
  bench.connection.on("stateChange", (status) => statuses.push(status));
  bench.simulator.faults.heartbeatNonceWrong = true;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  bench.simulator.faults.heartbeatNonceWrong = false;
  t.deepEqual(statuses, []);
  bench.simulator.faults.withholdHeartbeatAcks();
  await bench.until(() => statuses.includes("resuming"));
  bench.simulator.faults.withholdHeartbeatAcks(false);
  await bench.reached("ready");
  t.is(bench.connection.status, "ready");
});

test.serial(
  "listeners that throw break nothing: every other one is called, the call goes on",
  async (t) => {
    await using bench = await openBench();
    const thrown: string[] = [];
    const catcher = (error: Error): void => void thrown.push(error.message);
    const usual = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", catcher);
    t.teardown(() => {
      process.off("uncaughtException", catcher);
      for (const listener of usual) process.on("uncaughtException", listener);
    });
    const { connection } = bench;
    const broken = (): never => {
      throw new Error("a listener of the user's");
    };
    let heard = 0;
    connection.on("stateChange", broken);
    connection.on("stateChange", () => {
      heard += 1;
    });
    connection.gateway.on("message", broken);
    connection.player.on("trackStart", broken);
    await connection.join(bench.channelId);
    connection.player.play({ kind: "file", path: tune });
    t.true(await bench.hears(20));
    t.true(heard >= 5);
    t.true(thrown.length >= 6, `${thrown.length} were reported`);
    t.is(connection.status, "ready");
  },
);
