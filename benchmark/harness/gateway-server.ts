/**
 * The voice gateway that every sender logs in to: a process of its own that knows only what a session needs.
 *
 * Its argument is JSON: `{ ports, tls }`. Call number n (its guild id) gets SSRC n, sends to port n modulo the
 * ports, and has the key that the receiver computes from its SSRC.
 */

import { createServer as createPlainServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { createCertificate } from "../../ts/simulator/certificate.ts";

/** What is offered: the mode that all prefer, and one for those that know no AEAD mode. */
const MODES = ["aead_aes256_gcm_rtpsize", "xsalsa20_poly1305"];
const HEARTBEAT_INTERVAL_MS = 13_750;

interface Message {
  op: number;
  d: Record<string, unknown>;
}

const { ports, tls } = JSON.parse(process.argv[2] ?? "{}") as { ports: number[]; tls: boolean };
const certificate = tls ? createCertificate("127.0.0.1") : undefined;
const server = certificate ? createTlsServer(certificate) : createPlainServer();
const sockets = new WebSocketServer({ server, maxPayload: 64 * 1024 });
sockets.on("connection", serve);
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  const { port } = server.address() as AddressInfo;
  say({ port, certificate: certificate?.cert ?? "" });
});
process.stdin.on("data", () => say({ sessions: sockets.clients.size }));
process.stdin.on("end", () => process.exit(0));

function serve(socket: WebSocket): void {
  let ssrc = 0;
  const send = (op: number, d: unknown): void => socket.send(JSON.stringify({ op, d }));
  socket.on("error", () => undefined);
  socket.on("message", (data, isBinary) => {
    if (isBinary) return;
    const { op, d } = JSON.parse(data.toString()) as Message;
    if (op === 0) {
      ssrc = Number(d.server_id);
      const port = ports[ssrc % ports.length];
      send(2, { ssrc, ip: "127.0.0.1", port, modes: MODES, experiments: [], streams: [] });
    }
    if (op === 1) {
      send(4, {
        mode: chosen(d.data),
        secret_key: keyOf(ssrc),
        dave_protocol_version: 0,
        audio_codec: "opus",
        video_codec: "H264",
        media_session_id: String(ssrc),
      });
    }
    if (op === 3) send(6, typeof d === "object" && d !== null ? { t: d.t } : d);
  });
  send(8, { v: 8, heartbeat_interval: HEARTBEAT_INTERVAL_MS });
}

/** The mode of a Select Protocol. */
function chosen(data: unknown): string {
  const mode = (data as { mode?: unknown } | undefined)?.mode;
  return MODES.find((known) => known === mode) ?? "";
}

/** As `key_of` in native/src/keys.rs. */
function keyOf(ssrc: number): number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(ssrc);
  return Array.from({ length: 32 }, (_, at) => (bytes[at % 4] ?? 0) ^ ((at * 37) & 0xff));
}

function say(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
