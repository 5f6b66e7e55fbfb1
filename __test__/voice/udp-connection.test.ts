/** The UDP connection alone, against a discovery server of a few lines: addresses, repetitions, ends, and no socket left. */

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import test from "ava";
import { Engine } from "../../ts/native/index.ts";
import { UdpConnection } from "../../ts/voice/udp-connection.ts";

/** Answers discovery requests, or not, and remembers who asked. */
async function discoveryServer(answers = true) {
  const socket: Socket = createSocket("udp4");
  const askers = new Set<number>();
  socket.on("message", (request, from) => {
    if (request.length !== 74) return;
    askers.add(from.port);
    if (!answers) return;
    const reply = Buffer.from(request);
    reply.writeUInt16BE(2, 0);
    reply.write("203.0.113.7", 8, "ascii");
    reply.writeUInt16BE(54_321, 72);
    socket.send(reply, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const target = { address: "127.0.0.1", port: socket.address().port, ssrc: 7 };
  const close = async (): Promise<void> => {
    socket.close();
  };
  return { target, askers, [Symbol.asyncDispose]: close };
}

test("finds its external address and tells both ends", async (t) => {
  await using server = await discoveryServer();
  await using engine = new Engine();
  const udp = UdpConnection.create(engine);
  t.is(udp.localAddress, undefined);
  t.deepEqual(await udp.open(server.target), { address: "203.0.113.7", port: 54_321 });
  t.deepEqual(udp.externalAddress, { address: "203.0.113.7", port: 54_321 });
  t.deepEqual(udp.remoteAddress, { address: "127.0.0.1", port: server.target.port });
  t.is(udp.localAddress?.address, "127.0.0.1");
  t.true(server.askers.has(udp.localAddress?.port ?? 0));
  udp.close();
  t.is(udp.localAddress, undefined);
  t.is(udp.externalAddress, undefined);
  udp.destroy();
  udp.destroy();
});

test("opening again closes the socket before: its port is free", async (t) => {
  await using server = await discoveryServer();
  await using engine = new Engine();
  const udp = UdpConnection.create(engine);
  const left: number[] = [];
  for (let opening = 0; opening < 5; opening++) {
    await udp.open(server.target);
    t.not(udp.localAddress?.port, left.at(-1));
    left.push(udp.localAddress?.port ?? 0);
  }
  // Of the last four, one may have gone to somebody else on this machine meanwhile, but not all.
  const free = await Promise.all(left.slice(0, -1).map(isFree));
  t.true(free.includes(true));
  udp.destroy();
});

async function isFree(port: number): Promise<boolean> {
  const probe = createSocket("udp4");
  const bound = once(probe, "listening");
  probe.bind(port, "127.0.0.1");
  try {
    await bound;
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}

test("an opening that gets no answer ends by its time limit, by a signal, or by another opening", async (t) => {
  await using silent = await discoveryServer(false);
  await using server = await discoveryServer();
  await using engine = new Engine();
  const udp = UdpConnection.create(engine);
  await t.throwsAsync(udp.open(silent.target, { timeoutMs: 50 }), { code: "transport_failed" });
  const abort = new AbortController();
  const opening = udp.open(silent.target, { signal: abort.signal });
  abort.abort();
  await t.throwsAsync(opening, { code: "aborted" });
  await t.throwsAsync(udp.open(silent.target, { signal: AbortSignal.abort() }), {
    code: "aborted",
  });
  const overtaken = t.throwsAsync(udp.open(silent.target), { code: "aborted" });
  t.is((await udp.open(server.target)).port, 54_321);
  await overtaken;
  udp.destroy();
});

test("an address that is none is refused", async (t) => {
  await using engine = new Engine();
  const udp = UdpConnection.create(engine);
  for (const address of ["", "voice.example", "::1", "1.2.3", "1.2.3.4.5", "127.0.0.1 "]) {
    await t.throwsAsync(udp.open({ address, port: 1, ssrc: 1 }), { code: "invalid_argument" });
  }
  for (const port of [-1, 65_536, 1.5]) {
    await t.throwsAsync(udp.open({ address: "127.0.0.1", port, ssrc: 1 }), {
      code: "invalid_argument",
    });
  }
  udp.destroy();
});
