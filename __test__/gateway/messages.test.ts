/** Gateway frames: the reference's examples are read, anything else is a typed error. */

import test from "ava";
import fc from "fast-check";
import {
  GatewayMessageError,
  MAX_FRAME_BYTES,
  parseBinary,
  parseText,
} from "../../ts/gateway/messages.ts";

const key = Array.from({ length: 32 }, (_, index) => index);

test("reads the messages of the reference", (t) => {
  const cases: [string, object][] = [
    [
      '{"op":8,"d":{"v":8,"heartbeat_interval":13750.0}}',
      { kind: "hello", heartbeatIntervalMs: 13_750 },
    ],
    [
      '{"op":2,"d":{"ssrc":7276,"ip":"203.0.113.40","port":19311,"modes":["a"],"experiments":[],"streams":[]}}',
      { kind: "ready", ssrc: 7276, ip: "203.0.113.40", port: 19_311, modes: ["a"] },
    ],
    ['{"op":6,"d":{"t":1786000000000}}', { kind: "heartbeat_ack", nonce: 1_786_000_000_000 }],
    ['{"op":6,"d":1786000000000}', { kind: "heartbeat_ack", nonce: 1_786_000_000_000 }],
    [
      '{"op":11,"d":{"user_ids":["8528"]},"seq":0}',
      { kind: "clients_connect", userIds: ["8528"], seq: 0 },
    ],
    [
      '{"op":13,"d":{"user_id":"8528"},"seq":9}',
      { kind: "client_disconnect", userId: "8528", seq: 9 },
    ],
    [
      '{"op":5,"d":{"speaking":1,"ssrc":7301,"user_id":"8528"},"seq":7}',
      { kind: "speaking", userId: "8528", ssrc: 7301, speaking: 1, seq: 7 },
    ],
    ['{"op":9,"d":null}', { kind: "resumed" }],
    ['{"op":99,"d":{"x":1},"seq":3}', { kind: "other", op: 99, d: { x: 1 }, seq: 3 }],
  ];
  for (const [text, expected] of cases) t.deepEqual(parseText(text) as object, expected);
  const described = parseText(
    JSON.stringify({ op: 4, d: { mode: "m", secret_key: key, dave_protocol_version: 1 } }),
  );
  t.deepEqual(described as object, {
    kind: "session_description",
    mode: "m",
    secretKey: Uint8Array.from(key),
    daveProtocolVersion: 1,
  });
});

test("reads binary frames with an unsigned sequence", (t) => {
  const message = parseBinary(Uint8Array.from([0xff, 0xfe, 25, 1, 2]));
  t.deepEqual(message as object, {
    kind: "binary",
    seq: 65_534,
    op: 25,
    payload: Uint8Array.from([1, 2]),
  });
});

test("names what is wrong", (t) => {
  const cases: [string, string][] = [
    ["{", "not_json"],
    ["[]", "wrong_type"],
    ["null", "wrong_type"],
    ['{"d":{}}', "missing_field"],
    ['{"op":"8"}', "wrong_type"],
    ['{"op":8,"d":{}}', "missing_field"],
    ['{"op":8,"d":{"heartbeat_interval":0}}', "wrong_type"],
    ['{"op":8,"d":{"heartbeat_interval":"13750"}}', "wrong_type"],
    ['{"op":2,"d":{"ssrc":-1,"ip":"1.2.3.4","port":1,"modes":[]}}', "wrong_type"],
    ['{"op":2,"d":{"ssrc":1,"ip":"::1","port":1,"modes":[]}}', "wrong_type"],
    ['{"op":2,"d":{"ssrc":1,"ip":"1.2.3.4","port":70000,"modes":[]}}', "wrong_type"],
    ['{"op":2,"d":{"ssrc":1,"ip":"1.2.3.4","port":1,"modes":[1]}}', "wrong_type"],
    ['{"op":4,"d":{"mode":"m","secret_key":[1,2]}}', "wrong_type"],
    [JSON.stringify({ op: 4, d: { mode: "m", secret_key: [...key.slice(1), 256] } }), "wrong_type"],
    ['{"op":11,"d":null}', "wrong_type"],
    ['{"op":5,"d":{"speaking":1},"seq":"x"}', "missing_field"],
    ['{"op":9,"d":null,"seq":"x"}', "wrong_type"],
    [`"${"x".repeat(MAX_FRAME_BYTES)}"`, "frame_too_large"],
  ];
  for (const [text, code] of cases) {
    const error = t.throws<GatewayMessageError>(() => parseText(text), {
      instanceOf: GatewayMessageError,
    });
    t.is(error?.code, code, text.slice(0, 80));
  }
  for (const length of [0, 1, 2])
    t.throws(() => parseBinary(new Uint8Array(length)), { code: "truncated" });
  t.throws(() => parseBinary(new Uint8Array(MAX_FRAME_BYTES + 1)), { code: "frame_too_large" });
});

test("whatever comes, it is a message or a typed error", (t) => {
  const anyFrame = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ op: fc.integer({ min: 0, max: 40 }), d: fc.jsonValue(), seq: fc.jsonValue() })
      .map((frame) => JSON.stringify(frame)),
  );
  const reads = (read: () => unknown): void => {
    try {
      read();
    } catch (error) {
      t.true(error instanceof GatewayMessageError);
    }
  };
  fc.assert(
    fc.property(anyFrame, (text) => reads(() => parseText(text))),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => reads(() => parseBinary(bytes))),
  );
  t.pass();
});
