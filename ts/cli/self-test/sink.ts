/** A process that stands in for a voice server: answers IP discovery and swallows the sound. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** Runs in the other process, so that what it costs is not counted as ours. */
const SCRIPT = `
const socket = require("node:dgram").createSocket({ type: "udp4", recvBufferSize: 8388608 });
socket.on("message", (datagram, from) => {
  if (datagram.length !== 74 || datagram.readUInt16BE(0) !== 1) return;
  const answer = Buffer.alloc(74);
  answer.writeUInt16BE(2, 0);
  answer.writeUInt16BE(70, 2);
  datagram.copy(answer, 4, 4, 8);
  answer.write(from.address, 8, "latin1");
  answer.writeUInt16BE(from.port, 72);
  socket.send(answer, from.port, from.address);
});
process.on("disconnect", () => process.exit(0));
socket.bind(0, "127.0.0.1", () => process.send(socket.address().port));
`;

/** A sink under way. */
export class Sink implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(): Promise<Sink> {
    const child = spawn(process.execPath, ["-e", SCRIPT], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const [port] = (await once(child, "message")) as [number];
    return new Sink(child, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }
}
