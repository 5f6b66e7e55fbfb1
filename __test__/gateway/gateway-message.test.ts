/** The union of all gateway messages: what is written is what Discord documents, and it reads back. */

import test from "ava";
import fc from "fast-check";
import {
  type GatewayMessage,
  parseGatewayMessage,
  serialiseGatewayMessage,
} from "../../ts/gateway/gateway-message.ts";
import type { ServerMessage } from "../../ts/gateway/messages.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, at) => at);

const SERVER: ServerMessage[] = [
  { kind: "hello", heartbeatIntervalMs: 13_750.5 },
  { kind: "ready", ssrc: 7276, ip: "203.0.113.40", port: 19311, modes: ["a", "b"] },
  { kind: "session_description", mode: "a", secretKey: KEY, daveProtocolVersion: 1 },
  { kind: "speaking", userId: "852892297661906993", ssrc: 7301, speaking: 1, seq: 0 },
  { kind: "heartbeat" },
  { kind: "heartbeat_ack", nonce: 1_786_000_000_123 },
  { kind: "resumed" },
  { kind: "clients_connect", userIds: ["1", "2"], seq: 65_535 },
  { kind: "client_disconnect", userId: "1", seq: 3 },
  { kind: "other", op: 99, d: { any: [1, null] }, seq: 4 },
  { kind: "binary", op: 25, payload: Uint8Array.of(1, 2, 3), seq: 513 },
];

for (const version of [8, 4]) {
  test(`every server message reads back as it was written, version ${version}`, (t) => {
    for (const message of SERVER) {
      t.deepEqual(parseGatewayMessage(serialiseGatewayMessage(message, version)), message);
    }
  });
}

const CLIENT: [GatewayMessage, number, unknown][] = [
  [
    {
      kind: "identify",
      guildId: "1",
      userId: "2",
      sessionId: "s",
      token: "t",
      channelId: "3",
      maxDaveProtocolVersion: 1,
    },
    8,
    {
      op: 0,
      d: {
        server_id: "1",
        user_id: "2",
        session_id: "s",
        token: "t",
        max_dave_protocol_version: 1,
        channel_id: "3",
      },
    },
  ],
  [
    { kind: "select_protocol", protocol: "udp", address: "198.51.100.17", port: 50_004, mode: "m" },
    8,
    { op: 1, d: { protocol: "udp", data: { address: "198.51.100.17", port: 50_004, mode: "m" } } },
  ],
  [{ kind: "beat", nonce: 5, seqAck: 0 }, 8, { op: 3, d: { t: 5, seq_ack: 0 } }],
  [{ kind: "beat", nonce: 5 }, 8, { op: 3, d: { t: 5, seq_ack: -1 } }],
  [{ kind: "beat", nonce: 5, seqAck: 9 }, 4, { op: 3, d: 5 }],
  [
    { kind: "set_speaking", speaking: 5, ssrc: 7276 },
    8,
    { op: 5, d: { speaking: 5, delay: 0, ssrc: 7276 } },
  ],
  [
    { kind: "resume", guildId: "1", sessionId: "s", token: "t", seqAck: 11 },
    8,
    { op: 7, d: { server_id: "1", session_id: "s", token: "t", seq_ack: 11 } },
  ],
  [
    { kind: "resume", guildId: "1", sessionId: "s", token: "t", seqAck: 11 },
    4,
    { op: 7, d: { server_id: "1", session_id: "s", token: "t" } },
  ],
  [{ kind: "raw", op: 15, d: { any: 0 } }, 8, { op: 15, d: { any: 0 } }],
];

test("client messages have the documented shape", (t) => {
  for (const [message, version, wire] of CLIENT) {
    t.deepEqual(JSON.parse(String(serialiseGatewayMessage(message, version))), wire);
  }
});

test("a binary client message is its opcode and its payload, of any size", (t) => {
  const payload = new Uint8Array(300_000).fill(7);
  const frame = serialiseGatewayMessage({ kind: "raw_binary", op: 26, payload });
  t.true(frame instanceof Uint8Array && frame.length === 300_001 && frame[0] === 26);
});

test("any frame parses or is refused with a known code", (t) => {
  const codes = ["not_json", "missing_field", "wrong_type", "truncated", "frame_too_large"];
  const check = (frame: string | Uint8Array): void => {
    try {
      t.is(typeof parseGatewayMessage(frame).kind, "string");
    } catch (error) {
      t.true(codes.includes((error as { code: string }).code));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 8 }), check));
  fc.assert(fc.property(fc.string(), check));
  const op = fc.record({
    op: fc.integer({ min: 0, max: 40 }),
    d: fc.jsonValue(),
    seq: fc.jsonValue(),
  });
  fc.assert(fc.property(op, (value) => check(JSON.stringify(value))));
});
