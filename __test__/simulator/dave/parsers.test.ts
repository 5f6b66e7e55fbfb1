/** Whatever bytes come: the parsers of the delivery service and of frames answer with a value or a MalformedError. */

import test from "ava";
import fc from "fast-check";
import { MalformedError } from "../../../ts/simulator/dave/bytes.ts";
import { forgedKeyPackage } from "../../../ts/simulator/dave/forged.ts";
import { parseFrame, sealFrame } from "../../../ts/simulator/dave/frame-codec.ts";
import {
  parseCommit,
  parseKeyPackage,
  parseWelcome,
  splitProposals,
} from "../../../ts/simulator/dave/mls.ts";
import { capture, capturedAdd, keys, plaintext } from "./vectors.ts";

const welcome = Buffer.concat([
  Buffer.from("0002", "hex"),
  vec([...vec([...Array(32).fill(1)]), ...vec([...Array(65).fill(2)]), ...vec([3, 3, 3])]),
  vec([...Array(300).fill(4)]),
]);

const parsers: [string, Buffer, (bytes: Buffer) => unknown][] = [
  ["key packages", capture.keyPackage, parseKeyPackage],
  ["commits", capture.commit, parseCommit],
  ["commits with a Welcome", Buffer.concat([capture.commit, welcome]), parseCommit],
  ["Welcomes", welcome, parseWelcome],
  ["proposals", vec([...capturedAdd, ...capturedAdd]), splitProposals],
  ["frames", sealFrame(keys.base, 300, plaintext), parseFrame],
];

for (const [what, sound, parse] of parsers) {
  test(`${what}: any bytes at all`, (t) => {
    t.notThrows(() => parse(sound));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => survives(parse, bytes)));
    t.pass();
  });

  test(`${what}: sound ones with a few bytes changed, cut out or put in`, (t) => {
    const edit = fc.record({
      at: fc.nat(sound.length - 1),
      remove: fc.nat(4),
      insert: fc.uint8Array({ maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
        let bytes = sound;
        for (const { at, remove, insert } of edits) {
          bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
        }
        return survives(parse, bytes);
      }),
      { numRuns: 500 },
    );
    t.pass();
  });
}

test("a forged key package is sound", (t) => {
  t.is(parseKeyPackage(forgedKeyPackage("999000000000000999")).userId, "999000000000000999");
});

function survives(parse: (bytes: Buffer) => unknown, bytes: Uint8Array): boolean {
  try {
    parse(Buffer.from(bytes));
    return true;
  } catch (error) {
    return error instanceof MalformedError;
  }
}

function vec(content: number[]): Buffer {
  const { length } = content;
  return Buffer.from(
    length < 64 ? [length, ...content] : [0x40 | (length >> 8), length & 255, ...content],
  );
}
