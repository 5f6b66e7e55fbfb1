// A UDP receiver on a thread of its own: answers IP discovery and records when each RTP packet arrives.

import { createSocket } from "node:dgram";
import { parentPort } from "node:worker_threads";

const socket = createSocket("udp4");
const arrivals = [];

socket.on("message", (datagram, from) => {
  if (datagram.length === 74 && datagram.readUInt16BE(0) === 1)
    return answerDiscovery(datagram, from);
  if (datagram.length < 32 || datagram[0] >> 6 !== 2) return;
  arrivals.push({
    sequence: datagram.readUInt16BE(2),
    timestamp: datagram.readUInt32BE(4),
    atMs: performance.now(),
  });
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

parentPort.on("message", (message) => {
  if (message === "report") parentPort.postMessage({ arrivals });
  if (message === "stop") {
    socket.close();
    parentPort.close();
  }
});
socket.bind(0, "127.0.0.1", () => parentPort.postMessage({ port: socket.address().port }));
