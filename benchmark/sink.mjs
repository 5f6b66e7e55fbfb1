// Receives every call's packets in a process of its own: answers IP discovery, counts packets and their spacing per SSRC.

import { createSocket } from "node:dgram";

const socket = createSocket({ type: "udp4", recvBufferSize: 8 * 1024 * 1024 });
const calls = new Map();
let counting = false;

socket.on("message", (datagram, from) => {
  if (datagram.length === 74 && datagram.readUInt16BE(0) === 1)
    return answerDiscovery(datagram, from);
  if (!counting || datagram.length < 44 || datagram[0] >> 6 !== 2) return;
  const ssrc = datagram.readUInt32BE(8);
  const call = calls.get(ssrc) ?? { packets: 0, first: 0, last: 0, sequence: -1, lost: 0 };
  const now = performance.now();
  const sequence = datagram.readUInt16BE(2);
  if (call.sequence >= 0) call.lost += ((sequence - call.sequence - 1) & 0xffff) % 0x8000;
  call.sequence = sequence;
  call.first ||= now;
  call.last = now;
  call.packets += 1;
  calls.set(ssrc, call);
});

function answerDiscovery(request, from) {
  const answer = Buffer.alloc(74);
  answer.writeUInt16BE(2, 0);
  answer.writeUInt16BE(70, 2);
  request.copy(answer, 4, 4, 8);
  answer.write(from.address, 8, "latin1");
  answer.writeUInt16BE(from.port, 72);
  socket.send(answer, from.port, from.address);
}

process.on("message", (message) => {
  if (message === "start") {
    calls.clear();
    counting = true;
  }
  if (message === "report") {
    counting = false;
    process.send({ calls: [...calls].map(([ssrc, call]) => ({ ssrc, ...call })) });
  }
  if (message === "stop") process.exit(0);
});
process.on("disconnect", () => process.exit(0));
socket.bind(0, "127.0.0.1", () => process.send({ port: socket.address().port }));
