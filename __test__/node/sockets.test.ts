/** Connections of clients: who gets in, what ends a socket, and what outlives it. */

import { request } from "node:http";
import { connect } from "node:net";
import test from "ava";
import { WebSocket } from "ws";
import { PlayerNode } from "../../ts/node/index.ts";
import {
  BOT,
  eventually,
  GUILD,
  PASSWORD,
  TestClient,
  TestNode,
  TRACK,
  trackId,
} from "./harness.ts";

interface Refused {
  status: number;
  body: { code: string; message: string };
}

/** What a handshake that does not succeed is answered with. */
function refusal(url: string, headers: Record<string, string>): Promise<Refused> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on("open", () => reject(new Error("it was let in")));
    socket.on("error", reject);
    socket.on("unexpected-response", (_request, response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
      });
    });
  });
}

const REFUSALS: { name: string; headers: Record<string, string>; status: number; code: string }[] =
  [
    { name: "no headers", headers: {}, status: 401, code: "wrong_password" },
    {
      name: "a wrong password",
      headers: { Authorization: "wrong", "User-Id": BOT },
      status: 401,
      code: "wrong_password",
    },
    {
      name: "a password that begins right",
      headers: { Authorization: PASSWORD.slice(0, -1), "User-Id": BOT },
      status: 401,
      code: "wrong_password",
    },
    {
      name: "no user",
      headers: { Authorization: PASSWORD },
      status: 400,
      code: "bad_user_id",
    },
    {
      name: "a user that is no id",
      headers: { Authorization: PASSWORD, "User-Id": "me" },
      status: 400,
      code: "bad_user_id",
    },
  ];

for (const { name, headers, status, code } of REFUSALS) {
  test(`a client is refused before the upgrade: ${name}`, async (t) => {
    await using node = await TestNode.start();
    const refused = await refusal(node.node.url, headers);
    t.is(refused.status, status);
    t.is(refused.body.code, code);
    t.false(JSON.stringify(refused).includes(PASSWORD));
  });
}

test("the protocol is at /v1/ws and /, and nowhere else", async (t) => {
  await using node = await TestNode.start();
  const { port } = node.node;
  const headers = { Authorization: PASSWORD, "User-Id": BOT };
  const elsewhere = await refusal(`ws://127.0.0.1:${port}/v2/ws`, headers);
  t.is(elsewhere.status, 404);
  t.is(elsewhere.body.code, "not_found");
  for (const path of ["/v1/ws", "/", "/v1/ws?v=1"]) {
    const client = await TestClient.open(`ws://127.0.0.1:${port}${path}`);
    client.socket.terminate();
  }
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const asked = request({ port, path: "/v1/ws" }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on("error", reject).end();
  });
  t.is(status, 404);
});

test("the first event is ready", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect({ "Client-Name": "a test" });
  const [ready] = client.events;
  t.like(ready, { type: "ready", version: "1", user_id: BOT, resumed: false, complete: true });
});

test("the node binds loopback unless told otherwise", async (t) => {
  await using node = await TestNode.start();
  t.is(node.node.address, "127.0.0.1");
  t.is(node.node.url, `ws://127.0.0.1:${node.node.port}/v1/ws`);
});

test("an address in use is a typed error", async (t) => {
  await using node = await TestNode.start();
  const second = PlayerNode.start({ port: node.node.port, password: PASSWORD });
  await t.throwsAsync(second, { code: "listen_failed" });
});

test("a message of more than 64 KiB closes the socket with 1009", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  client.raw(" ".repeat(64 * 1024 + 1));
  t.is(await client.closed, 1009);
});

test("players outlive a lost socket, and the next one finds them", async (t) => {
  await using node = await TestNode.start();
  const before = await node.connect();
  await before.send("play", { guild_id: GUILD, track_id: TRACK });
  const call = node.call();
  before.socket.terminate();
  await before.closed;
  const after = await node.connect();
  t.like(after.events[0], { type: "ready", resumed: true });
  t.like(await after.next("player_update"), { guild_id: GUILD, track_id: TRACK });
  t.false(call.destroyed);
  call.flow.finish();
  t.is((await after.next("track_end")).reason, "finished");
});

test("players end when nobody comes back in time", async (t) => {
  await using node = await TestNode.start({ resume_timeout_s: 0 });
  const client = await node.connect();
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  const calls = node.calls();
  client.socket.terminate();
  await eventually(() => calls.closed);
  t.true(calls.made.every((call) => call.destroyed));
  t.like((await node.connect()).events[0], { type: "ready", resumed: false });
});

test("a session without players ends with its socket", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const calls = node.calls();
  client.socket.close();
  await eventually(() => calls.closed);
  t.pass();
});

test("a second socket of a bot takes over; what the first still says is not carried out", async (t) => {
  await using node = await TestNode.start();
  const first = await node.connect();
  await first.send("play", { guild_id: GUILD, track_id: TRACK });
  const second = await node.connect();
  first.raw(JSON.stringify({ op: "stop", d: { guild_id: GUILD } }));
  t.is(await first.closed, 4001);
  t.is(node.call().flow.playing, 1);
  t.is((await second.send("stop", { guild_id: GUILD })).type, "done");
});

test("a client that does not read is closed, and the node goes on", async (t) => {
  await using node = await TestNode.start();
  const slow = await node.connect();
  await slow.send("play", {
    guild_id: GUILD,
    track_id: trackId(`https://x/${"y".repeat(11_000)}`),
  });
  const { flow } = node.call();
  slow.socket.pause();
  // Each event is about 15 kB: more than the kernel's buffers and the node's bound together.
  for (let count = 0; count < 3000; count++) flow.stall(count);
  const held = node.node;
  slow.socket.resume();
  t.is(await slow.closed, 4000);
  t.true(slow.events.length < 3000);
  const other = await TestClient.open(held.url, { "User-Id": "2" });
  t.is((await other.send("play", { guild_id: GUILD, track_id: TRACK })).type, "done");
  other.socket.terminate();
});

test("close ends players, tells clients and stops listening", async (t) => {
  const node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  const { port } = node.node;
  const calls = node.calls();
  await Promise.all([node.node.close(), node.node.close()]);
  t.is(await client.closed, 1001);
  t.like(client.events.at(-1), { type: "track_end", reason: "cleanup" });
  t.true(calls.closed && calls.made.every((call) => call.destroyed));
  await t.throwsAsync(TestClient.open(`ws://127.0.0.1:${port}/v1/ws`), { code: "ECONNREFUSED" });
});

test("close does not wait for clients that do not answer", async (t) => {
  const node = await TestNode.start();
  const client = await node.connect();
  client.socket.pause();
  const idle = connect(node.node.port, "127.0.0.1");
  idle.on("error", () => undefined);
  await new Promise((resolve) => idle.once("connect", resolve));
  await node.node.close();
  client.socket.terminate();
  idle.destroy();
  t.pass();
});

test("no secret reaches a log or an event", async (t) => {
  const lines: string[] = [];
  const log = (fields: object, message: string): void => {
    lines.push(JSON.stringify({ ...fields, message }));
  };
  const logger = { debug: log, info: log, warn: log, error: log };
  await using node = await TestNode.start({}, logger);
  await refusal(node.node.url, { Authorization: "guess-the-password", "User-Id": BOT });
  const client = await node.connect();
  const secrets = { session_id: "secret-session", token: "secret-token", endpoint: "h:443" };
  await client.send("voice_update", { guild_id: GUILD, ...secrets });
  node.call().provide = () => {
    throw new Error(`cannot take ${secrets.token}`);
  };
  const answer = await client.send("voice_update", { guild_id: GUILD, ...secrets });
  t.like(answer, { type: "error", code: "internal_error" });
  const told = `${lines.join("\n")}\n${JSON.stringify(client.events)}`;
  for (const secret of [PASSWORD, "guess-the-password", "secret-session", "secret-token"]) {
    t.false(told.includes(secret), secret);
  }
  t.true(lines.some((line) => line.includes("failed unexpectedly")));
});
