/** Hostile and broken clients over real sockets: nothing is disturbed, nothing grows. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import test from "ava";
import fc from "fast-check";
import { WebSocket, WebSocketServer } from "ws";
import { ClientSocket } from "../../ts/node/client-socket.ts";
import { OP_NAMES } from "../../ts/node/ops/table.ts";
import { eventually, GUILD, PASSWORD, TestClient, TestNode, TRACK } from "./harness.ts";

/** A WebSocket whose frames are written by hand. */
async function rawSocket(node: TestNode, userId = "3"): Promise<Socket> {
  const socket = connect(node.node.port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const lines = [
    "GET /v1/ws HTTP/1.1",
    "Host: x",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    `Authorization: ${PASSWORD}`,
    `User-Id: ${userId}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await once(socket, "data");
  return socket;
}

/** A masked frame of a client; the mask is zero, so that the payload stands as it is. */
function frame(opcode: number, payload: Buffer, { fin = true, mask = true } = {}): Buffer {
  const head = Buffer.from([(fin ? 0x80 : 0) | opcode, (mask ? 0x80 : 0) | payload.length]);
  return Buffer.concat([head, Buffer.alloc(mask ? 4 : 0), payload]);
}

/** The close code that the node sends, if it sends one. */
async function closeCode(socket: Socket, bytes: Buffer): Promise<number | undefined> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  const closed = once(socket, "close");
  socket.end(bytes);
  await closed;
  const all = Buffer.concat(chunks);
  const at = all.lastIndexOf(0x88);
  return at === -1 ? undefined : all.readUInt16BE(at + 2);
}

test("what breaks the rules of WebSocket closes that socket, with the code for it", async (t) => {
  await using node = await TestNode.start();
  const other = await node.connect();
  await other.send("play", { guild_id: GUILD, track_id: TRACK });
  const cases: [string, Buffer, number][] = [
    ["text that is not UTF-8", frame(1, Buffer.from([0x22, 0xc3, 0x28, 0x22])), 1007],
    ["a lone surrogate", frame(1, Buffer.from([0xed, 0xa0, 0x80])), 1007],
    ["an unknown opcode", frame(3, Buffer.from("x")), 1002],
    ["a frame without a mask", frame(1, Buffer.from("{}"), { mask: false }), 1002],
    ["a ping in pieces", frame(9, Buffer.from("x"), { fin: false }), 1002],
    ["a continuation of nothing", frame(0, Buffer.from("x")), 1002],
    ["2^63 bytes", Buffer.from("81ff7fffffffffffffff00000000", "hex"), 1009],
    ["100 KB", Buffer.from("81ff00000000000186a000000000", "hex"), 1009],
  ];
  for (const [name, bytes, code] of cases) {
    t.is(await closeCode(await rawSocket(node), bytes), code, name);
  }
  t.is((await other.send("stop", { guild_id: GUILD })).type, "done");
});

test("a message in a thousand pieces is one message, and pieces without an end are bounded", async (t) => {
  await using node = await TestNode.start();
  const patient = await rawSocket(node);
  let answer = "";
  patient.on("data", (chunk) => {
    answer += String(chunk);
  });
  const text = Buffer.from(JSON.stringify({ op: "list_players", d: {}, id: "pieces" }));
  for (let at = 0; at < text.length; at++) {
    const fin = at === text.length - 1;
    patient.write(frame(at === 0 ? 1 : 0, text.subarray(at, at + 1), { fin }));
  }
  await eventually(() => answer.includes('"id":"pieces"'));
  patient.destroy();
  const endless = await rawSocket(node);
  endless.write(frame(1, Buffer.from("{"), { fin: false }));
  const piece = frame(0, Buffer.alloc(100, 0x20), { fin: false });
  const closed = once(endless, "close");
  endless.resume();
  for (let count = 0; count < 1000; count++) endless.write(piece);
  await closed;
  t.pass();
});

test("bytes of all kinds before and after the handshake leave the node as it was", async (t) => {
  await using node = await TestNode.start();
  const other = await node.connect();
  const throwIn = async (socket: Socket, bytes: Uint8Array): Promise<void> => {
    socket.resume();
    const closed = once(socket, "close");
    socket.end(bytes);
    setTimeout(() => socket.destroy(), 5000).unref();
    await closed;
  };
  for (const bytes of fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), 60)) {
    await throwIn(await rawSocket(node), bytes);
    const fresh = connect(node.node.port, "127.0.0.1");
    fresh.on("error", () => undefined);
    await throwIn(fresh, bytes);
  }
  t.is((await other.send("list_players", {})).type, "done");
});

test("a hundred thousand messages of all kinds are answered one by one, and nothing is left of them", async (t) => {
  t.timeout(600_000);
  await using node = await TestNode.start();
  const victim = await node.connect({ "User-Id": "2" });
  await victim.send("play", { guild_id: GUILD, track_id: TRACK });
  const attacker = await TestClient.open(node.node.url);
  let answers = 0;
  let internal = 0;
  attacker.socket.removeAllListeners("message");
  attacker.socket.on("message", (data) => {
    const { d } = JSON.parse(String(data)) as { d: { type: string; code?: string } };
    if (d.type === "done" || d.type === "error") answers += 1;
    if (d.code === "internal_error") internal += 1;
  });
  const guild = fc.constantFrom("1", "2", "3", "4", "18446744073709551615");
  const value = fc.oneof(fc.jsonValue(), guild, fc.nat(), fc.boolean());
  const body = fc.record(
    {
      guild_id: fc.oneof(guild, value),
      track_id: fc.oneof(fc.constant(TRACK), value),
      position: value,
      state: value,
      replace: value,
      start_time: value,
      end_time: value,
      query: value,
      session_id: value,
      token: value,
      endpoint: value,
      limit: value,
    },
    { requiredKeys: ["guild_id"] },
  );
  const message = fc.oneof(
    { weight: 8, arbitrary: fc.record({ op: fc.constantFrom(...OP_NAMES), d: body, id: value }) },
    { weight: 1, arbitrary: fc.jsonValue() },
  );
  const texts = fc.sample(message, 1800).map((each) => JSON.stringify(each) ?? "null");
  const long = fc
    .sample(fc.nat(60_000), 20)
    .map((length) => `{"op":"stop","d":"${"x".repeat(length)}"}`);
  const bytes = fc.sample(fc.uint8Array({ maxLength: 2000 }), 180).map((each, at) => {
    // Some have a head that is right; nothing is pushed anywhere, so that none is taken.
    return at % 2 === 0
      ? each
      : Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0, at % 5]), each]);
  });
  const messages = [...texts, ...long, ...bytes];
  const ends = ["stop", "destroy"].flatMap((op) =>
    ["1", "2", "3", "4"].map((guild_id) => JSON.stringify({ op, d: { guild_id } })),
  );
  const TOTAL = 100_000;
  for (let sent = 0; sent < TOTAL; ) {
    const batch = messages.slice(0, Math.min(messages.length, TOTAL - sent));
    for (const each of batch) attacker.raw(each);
    sent += batch.length;
    await eventually(() => answers >= sent, 120_000);
  }
  for (const text of ends) attacker.raw(text);
  await eventually(() => answers === TOTAL + ends.length, 120_000);
  t.is(internal, 0);
  t.true(node.calls().made.filter(({ destroyed }) => !destroyed).length <= 1);
  t.is(node.call(GUILD, "2").flow.playing, 1);
  t.is((await victim.send("stop", { guild_id: GUILD })).type, "done");
  attacker.socket.terminate();
});

test("a thousand sockets of a thousand bots live side by side, and leave nothing behind", async (t) => {
  t.timeout(600_000);
  await using node = await TestNode.start({ resume_timeout_s: 0 });
  const COUNT = 1000;
  const clients: TestClient[] = [];
  for (let at = 0; at < COUNT; at += 50) {
    const some = Array.from({ length: 50 }, (_, index) =>
      TestClient.open(node.node.url, { "User-Id": String(at + index + 1) }),
    );
    clients.push(...(await Promise.all(some)));
  }
  const answers = await Promise.all(
    clients.map((client) => client.send("play", { guild_id: GUILD, track_id: TRACK })),
  );
  t.true(answers.every(({ type }) => type === "done"));
  const gauge = async (name: string): Promise<number> => {
    const metrics = await (await fetch(`http://127.0.0.1:${node.node.port}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(metrics)?.[1]);
  };
  t.is(await gauge("cadenza_clients"), COUNT);
  for (const client of clients) client.socket.terminate();
  const deadline = Date.now() + 60_000;
  while ((await gauge("cadenza_bots")) > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.is(await gauge("cadenza_bots"), 0);
});

test("a client that is gone without a word is noticed, one that answers pings is not cut", async (t) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  t.teardown(() => server.close());
  await once(server, "listening");
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const closed: Record<string, number> = {};
  server.on("connection", (socket, { url: name = "" }) => {
    const events = {
      message: () => undefined,
      binary: () => undefined,
      closed: (code: number) => {
        closed[name] = code;
      },
    };
    new ClientSocket(socket, events, name === "/gone" ? 20 : 2000);
  });
  const gone = new WebSocket(`${url}/gone`, { autoPong: false });
  const alive = new WebSocket(`${url}/alive`);
  for (const socket of [gone, alive]) socket.on("error", () => undefined);
  let pings = 0;
  alive.on("ping", () => {
    pings += 1;
  });
  await eventually(() => closed["/gone"] === 1006 && pings >= 3);
  t.is(closed["/alive"], undefined);
  alive.terminate();
});

test("connections that never finish their handshake do not keep others out", async (t) => {
  await using node = await TestNode.start();
  const idle = Array.from({ length: 200 }, () => connect(node.node.port, "127.0.0.1"));
  for (const socket of idle) {
    socket.on("error", () => undefined);
    socket.write("GET /v1/ws HTTP/1.1\r\nHost:");
  }
  const client = await node.connect();
  t.is((await client.send("list_players", {})).type, "done");
  for (const socket of idle) socket.destroy();
});
