// The baseline: what a bot gets from one Node timer, node:crypto and one dgram socket a call.

import { createCipheriv } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";

interface Call {
  socket: Socket;
  key: Buffer;
  sequence: number;
  counter: number;
  ssrc: number;
}

/** Sends `frames` in turn, one each 20 ms, from each call; returns the function that stops it. */
export function plainNodeLoop(options: {
  ports: readonly number[];
  calls: number;
  frames: readonly Uint8Array[];
  keyOf: (ssrc: number) => Buffer;
}): () => void {
  const { ports, frames } = options;
  const calls: Call[] = [];
  for (let ssrc = 1; ssrc <= options.calls; ssrc++) {
    const socket = createSocket("udp4");
    // What a socket refuses is lost, as any datagram may be.
    socket.on("error", () => undefined);
    socket.connect(ports[ssrc % ports.length] ?? 0, "127.0.0.1");
    calls.push({ socket, key: options.keyOf(ssrc), sequence: 0, counter: 0, ssrc });
  }
  let period = 0;
  let next = performance.now() + 200;
  let timer = setTimeout(tick, 200);
  function tick(): void {
    const frame = frames[period++ % frames.length] ?? Buffer.alloc(0);
    for (const call of calls) send(call, frame);
    next += 20;
    timer = setTimeout(tick, Math.max(0, next - performance.now()));
  }
  return () => {
    clearTimeout(timer);
    for (const call of calls) call.socket.close();
  };
}

function send(call: Call, frame: Uint8Array): void {
  call.sequence = (call.sequence + 1) & 0xffff;
  call.counter += 1;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x8078, 0);
  header.writeUInt16BE(call.sequence, 2);
  header.writeUInt32BE((call.counter * 960) >>> 0, 4);
  header.writeUInt32BE(call.ssrc, 8);
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(call.counter, 0);
  const cipher = createCipheriv("aes-256-gcm", call.key, nonce);
  cipher.setAAD(header);
  const sealed = Buffer.concat([cipher.update(frame), cipher.final()]);
  const packet = Buffer.concat([header, sealed, cipher.getAuthTag(), nonce.subarray(0, 4)]);
  call.socket.send(packet);
}
