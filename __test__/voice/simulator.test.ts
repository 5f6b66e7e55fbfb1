/** The voice library against the simulator: joins, moves, faults, recovery, all with real sockets on loopback. */

import { fileURLToPath } from "node:url";
import test from "ava";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator, type SimulatorOptions } from "../../ts/simulator/index.ts";
import { CadenzaError } from "../../ts/support/errors.ts";
import { silentLogger } from "../../ts/support/logger.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import type { GatewayOptions } from "../../ts/voice/options.ts";

const track = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const room = { guildId: "41771983423143937", channelId: "127121515262115840" };
const userId = "104694319306248192";

/** A simulator, a bot whose main gateway it is, and a listener. */
async function setUp(
  simulatorOptions: SimulatorOptions = {},
  gateway: GatewayOptions = {},
  logger = silentLogger,
) {
  const simulator = await DiscordSimulator.start(simulatorOptions);
  const engine = new Engine();
  const mainGateway = simulator.mainGateway(userId);
  const options = { insecureEndpoints: true, ...gateway };
  const manager = new VoiceManager({
    userId,
    engine,
    sendPayload: (_guild, payload) => mainGateway.send(payload),
    gateway: options,
    logger,
  });
  mainGateway.on("dispatch", ({ t, d }) => {
    if (t === "VOICE_STATE_UPDATE") manager.handleVoiceStateUpdate(d);
    else manager.handleVoiceServerUpdate(d);
  });
  const connection = manager.connection(room.guildId);
  const listener = simulator.listen(room);
  const close = async (): Promise<void> => {
    await manager.close();
    await engine.close();
    await simulator.close();
  };
  return { simulator, mainGateway, manager, connection, listener, [Symbol.asyncDispose]: close };
}

type Bench = Awaited<ReturnType<typeof setUp>>;

/** Plays until so many more packets were heard. */
async function hears({ listener }: Bench, more = 20): Promise<boolean> {
  const target = listener.packets.length + more;
  return listener.waitFor(() => listener.packets.length >= target, 15_000);
}

function reached(bench: Bench, status: string): Promise<void> {
  return new Promise((resolve) => {
    if (bench.connection.status === status) return resolve();
    const watch = (now: string): void => {
      if (now !== status) return;
      bench.connection.off("stateChange", watch);
      resolve();
    };
    bench.connection.on("stateChange", watch);
  });
}

for (const version of [8, 4] as const) {
  for (const serverFirst of [false, true]) {
    test(`joins and plays with gateway version ${version}, ${serverFirst ? "server" : "state"} event first`, async (t) => {
      await using bench = await setUp({ gatewayVersions: [version] }, { version });
      bench.simulator.faults.serverEventFirst = serverFirst;
      await bench.connection.join(room.channelId);
      bench.connection.player.play({ kind: "file", path: track });
      t.true(await hears(bench));
      t.deepEqual(bench.listener.problems, []);
      t.is(bench.simulator.sessions().length, 1);
    });
  }
}

test("audio goes on while the socket is resumed, in one unbroken sequence", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  for (const code of [1006, 4015, 1001]) {
    const resumed = reached(bench, "resuming").then(() => reached(bench, "ready"));
    bench.simulator.faults.closeWith(room.guildId, code, { keepSession: true });
    await resumed;
    t.true(await hears(bench), `code ${code}`);
  }
  t.deepEqual(bench.listener.problems, []);
  const sequences = bench.listener.packets.map((packet) => packet.sequence);
  t.true(
    sequences.every(
      (sequence, at) => at === 0 || sequence === (((sequences[at - 1] ?? 0) + 1) & 0xffff),
    ),
  );
  t.is(new Set(bench.listener.packets.map((packet) => packet.ssrc)).size, 1);
});

test("a refused resume asks for a new session and plays on", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  bench.simulator.faults.refuseResume();
  bench.simulator.faults.cutSocket(room.guildId);
  await reached(bench, "unconnected");
  await reached(bench, "ready");
  t.true(await hears(bench));
  t.is(new Set(bench.listener.packets.map((packet) => packet.ssrc)).size, 2);
});

test("Ready instead of Resumed is played into with the new SSRC", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  bench.simulator.faults.readyInsteadOfResumed();
  bench.simulator.faults.cutSocket(room.guildId);
  await reached(bench, "waiting_for_ready");
  await reached(bench, "ready");
  t.true(await hears(bench));
  t.is(new Set(bench.listener.packets.map((packet) => packet.ssrc)).size, 2);
});

test("a lost first discovery reply is asked for again", async (t) => {
  await using bench = await setUp();
  bench.simulator.faults.dropDiscovery(1);
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench));
});

test("withheld heartbeat acknowledgements make a zombie that is replaced", async (t) => {
  await using bench = await setUp({ heartbeatIntervalMs: 150 });
  await bench.connection.join(room.channelId);
  bench.simulator.faults.withholdHeartbeatAcks();
  await reached(bench, "resuming");
  bench.simulator.faults.withholdHeartbeatAcks(false);
  await reached(bench, "ready");
  t.is(bench.connection.status, "ready");
});

test("heartbeats are acknowledged and give a ping", async (t) => {
  await using bench = await setUp({ heartbeatIntervalMs: 100 });
  await bench.connection.join(room.channelId);
  const ping = new Promise<number>((resolve) => bench.connection.once("ping", resolve));
  t.true((await ping) >= 0);
  t.is(bench.connection.status, "ready");
});

test("endpoint null waits, the next server is joined and the track goes on where it was", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench, 50));
  bench.simulator.faults.endpointNull(room.guildId);
  await reached(bench, "unconnected");
  const held = bench.connection.player.positionMs;
  await bench.simulator.faults.moveServer(room.guildId);
  await reached(bench, "ready");
  t.true(await hears(bench));
  const position = bench.connection.player.positionMs;
  t.true(position > held && position < held + 3000, `${held} ms, then ${position} ms`);
});

test("a move by a moderator follows the new credentials", async (t) => {
  await using bench = await setUp();
  const other = bench.simulator.listen({ guildId: room.guildId, channelId: "5" });
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  bench.simulator.guild(room.guildId).move(userId, "5");
  t.true(await other.waitFor(() => other.packets.length > 20, 15_000));
  t.is(bench.connection.channelId, "5");
});

test("a kick ends the connection", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  bench.mainGateway.send({ op: 4, d: { guild_id: room.guildId, channel_id: null } });
  await reached(bench, "disconnected");
  t.is(bench.connection.channelId, undefined);
});

test("a join that Discord does not answer fails with a reason", async (t) => {
  await using bench = await setUp({}, { timeouts: { credentials: 50 } });
  bench.simulator.faults.joinsIgnored = true;
  const error = await t.throwsAsync(bench.connection.join(room.channelId), {
    instanceOf: CadenzaError,
  });
  t.is(error?.code, "no_credentials");
});

test("a join can be aborted", async (t) => {
  await using bench = await setUp();
  bench.simulator.faults.joinsIgnored = true;
  const abort = new AbortController();
  const joining = bench.connection.join(room.channelId, { signal: abort.signal });
  abort.abort();
  await t.throwsAsync(joining, { code: "aborted" });
  t.is(bench.connection.status, "disconnected");
});

for (const [code, reason] of [
  [4017, "closed_e2ee_required"],
  [4016, "closed_unknown_encryption_mode"],
  [4021, "closed_rate_limited"],
] as const) {
  test(`close code ${code} stops for good with ${reason}`, async (t) => {
    await using bench = await setUp();
    bench.simulator.faults.atPhase("before_ready", code);
    await t.throwsAsync(bench.connection.join(room.channelId), { code: reason });
    t.is(bench.connection.reason?.closeCode, code);
  });
}

test("pause sends five silence frames, resume continues with the clock", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  const { player } = bench.connection;
  player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  player.pause();
  const { packets } = bench.listener;
  t.true(
    await bench.listener.waitFor(() => packets.slice(-5).every((packet) => packet.silence), 30_000),
  );
  const heldAt = packets.length;
  const position = player.positionMs;
  player.resume();
  t.true(await hears(bench));
  t.true(player.positionMs >= position);
  t.deepEqual(bench.listener.problems, []);
  t.true(packets.slice(heldAt).some((packet) => !packet.silence));
});

test("seek moves the position, end_ms ends the track, stop says stopped", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  const { player } = bench.connection;
  const ended = (): Promise<string> =>
    new Promise((resolve) => player.once("trackEnd", (_track, reason) => resolve(reason)));
  const finished = ended();
  player.play({ kind: "file", path: track }, { startMs: 11_000, endMs: 11_400 });
  t.is(await finished, "finished");
  t.true(await bench.listener.waitFor(({ packets }) => packets.at(-1)?.silence === true, 30_000));
  const sounding = bench.listener.packets.filter((packet) => !packet.silence).length;
  t.true(Math.abs(sounding - 20) <= 1, `${sounding} packets for 400 ms`);
  player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  player.seek(8000);
  t.true(await bench.listener.waitFor(() => player.positionMs >= 8000, 30_000));
  const stopped = ended();
  player.stop();
  t.is(await stopped, "stopped");
  t.false(player.playing);
});

test("frames that are not JSON, lack fields, have wrong types or no known op change nothing", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  const frames = [
    "{",
    "[]",
    '{"op":2,"d":{}}',
    '{"op":4,"d":{"mode":5,"secret_key":"x"}}',
    '{"op":11,"d":null}',
    Buffer.alloc(2),
  ];
  for (const frame of frames) bench.simulator.faults.sendRaw(room.guildId, frame);
  bench.simulator.faults.sendUnknownOps(room.guildId);
  t.true(await hears(bench));
  t.true(bench.connection.badFrames >= frames.length);
  t.is(bench.connection.status, "ready");
  t.deepEqual(bench.listener.problems, []);
});

test("a frame of 8 MiB breaks the socket, which is resumed; the sound goes on", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  bench.connection.player.play({ kind: "file", path: track });
  t.true(await hears(bench));
  const resumed = reached(bench, "resuming").then(() => reached(bench, "ready"));
  bench.simulator.faults.sendRaw(room.guildId, "x".repeat(8 * 1024 * 1024));
  await resumed;
  t.true(await hears(bench));
  t.is(new Set(bench.listener.packets.map((packet) => packet.ssrc)).size, 1);
});

test("token, session id and key appear in no log line, reason or statistic", async (t) => {
  const lines: string[] = [];
  const log = (fields: object, message: string): void =>
    void lines.push(JSON.stringify(fields) + message);
  const logger = { debug: log, info: log, warn: log, error: log };
  await using bench = await setUp({}, {}, logger);
  const secrets: string[] = [];
  bench.mainGateway.on("dispatch", ({ d }) => {
    for (const secret of [d.token, d.session_id])
      if (typeof secret === "string") secrets.push(secret);
  });
  bench.connection.on("stateChange", (status, reason) => log({ status, reason }, ""));
  await bench.connection.join(room.channelId);
  bench.simulator.faults.refuseResume();
  bench.simulator.faults.cutSocket(room.guildId);
  await reached(bench, "unconnected");
  await reached(bench, "ready");
  lines.push(JSON.stringify([bench.connection.stats(), bench.connection.reason]));
  t.true(secrets.length >= 3 && lines.length > 5);
  for (const secret of secrets) t.false(lines.join("\n").includes(secret));
});

test("destroy is idempotent and the next connection is a new one", async (t) => {
  await using bench = await setUp();
  await bench.connection.join(room.channelId);
  await bench.connection.destroy();
  await bench.connection.destroy();
  t.is(bench.manager.get(room.guildId), undefined);
  t.not(bench.manager.connection(room.guildId), bench.connection);
});
