/** The delivery service's encodings against a genuine capture, and the frame codec against independent vectors. */

import { createPrivateKey, createPublicKey, verify } from "node:crypto";
import test from "ava";
import { ByteReader, vec } from "../../../ts/simulator/dave/bytes.ts";
import {
  appendMessage,
  ExternalSender,
  revokeMessage,
} from "../../../ts/simulator/dave/external-sender.ts";
import {
  expandWithLabel,
  openFrame,
  parseFrame,
  ratchetKey,
  sealFrame,
} from "../../../ts/simulator/dave/frame-codec.ts";
import { parseCommit, parseKeyPackage, splitProposals } from "../../../ts/simulator/dave/mls.ts";
import { capture, capturedAdd, frames, keys, plaintext } from "./vectors.ts";

test("the external sender's package is the captured one", (t) => {
  t.deepEqual(sender().message, capture.externalSender);
});

test("a key package is understood as captured", (t) => {
  const parsed = parseKeyPackage(capture.keyPackage);
  t.is(parsed.userId, capture.addedUserId);
  t.deepEqual(parsed.ref, capture.keyPackageRef);
});

test("every damaged key package is refused", (t) => {
  const whole = capture.keyPackage;
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 0x01;
    t.throws(() => parseKeyPackage(damaged), { name: "MalformedError" }, `byte ${at}`);
    t.throws(() => parseKeyPackage(whole.subarray(0, at)), { name: "MalformedError" });
  }
  t.throws(() => parseKeyPackage(Buffer.concat([whole, Buffer.of(0)])), { name: "MalformedError" });
});

test("an Add is the captured one but for its signature, which verifies", (t) => {
  const { message, ref } = sender().add(0n, capture.keyPackage);
  const signatureAt = capturedAdd.length - capture.signature.length - 2;
  t.deepEqual(message.subarray(0, signatureAt), capturedAdd.subarray(0, signatureAt));
  const reader = new ByteReader(message.subarray(signatureAt));
  const signature = reader.vec();
  reader.end();
  t.true(isSignedBySender(message.subarray(0, signatureAt), signature));
  t.true(isSignedBySender(capturedAdd.subarray(0, signatureAt), capture.signature));
  t.notDeepEqual(ref, capture.proposalRef);
});

test("proposals are split and referred to as captured", (t) => {
  const proposals = splitProposals(vec(Buffer.concat([capturedAdd, capturedAdd])));
  t.is(proposals.length, 2);
  const [{ bytes, ref, isAdd } = { bytes: undefined, ref: undefined, isAdd: false }] = proposals;
  t.deepEqual(bytes, capturedAdd);
  t.deepEqual(ref, capture.proposalRef);
  t.true(isAdd);
  const own = { message: capturedAdd, ref: capture.proposalRef };
  t.deepEqual(appendMessage([own]), Buffer.concat([Buffer.from("0041f0", "hex"), capturedAdd]));
  t.deepEqual(
    revokeMessage([own]),
    Buffer.concat([Buffer.from("012120", "hex"), capture.proposalRef]),
  );
});

test("a commit is read to its end, and the Welcome behind it", (t) => {
  const welcome = Buffer.from("0002 04 01aa 00 00 02bbbb".replaceAll(" ", ""), "hex");
  const commit = parseCommit(Buffer.concat([capture.commit, welcome]));
  t.deepEqual(commit.message, capture.commit);
  t.is(commit.message.length, 202);
  t.deepEqual(commit.refs, [capture.proposalRef]);
  t.is(commit.epoch, 0n);
  t.is(commit.senderLeaf, 0);
  t.is(commit.path, undefined);
  t.deepEqual(commit.welcome?.bytes, welcome);
  t.deepEqual(
    commit.welcome?.secrets.map(({ ref }) => ref),
    [Buffer.of(0xaa)],
  );
  t.is(parseCommit(capture.commit).welcome, undefined);
  for (let length = 0; length < capture.commit.length; length++) {
    const cut = capture.commit.subarray(0, length);
    t.throws(() => parseCommit(cut), { name: "MalformedError" }, `${length} bytes`);
  }
});

test("sender keys follow the ratchet", (t) => {
  const label = "Discord Secure Frames v0";
  const derived = expandWithLabel(keys.exporterSecret, label, Buffer.alloc(0), 32);
  t.deepEqual(derived, keys.derived);
  for (const [generation, key] of keys.generations) {
    t.is(ratchetKey(keys.base, generation).toString("hex"), key, `generation ${generation}`);
  }
});

test("frames are sealed and opened as independent code does", (t) => {
  for (const [nonce, generation, expected] of frames) {
    const frame = Buffer.from(expected, "hex");
    t.deepEqual(sealFrame(keys.base, nonce, plaintext, generation), frame, `nonce ${nonce}`);
    t.deepEqual(openFrame(keys.base, frame, generation), plaintext, `nonce ${nonce}`);
    const damaged = Buffer.from(frame);
    damaged[3] = (damaged[3] ?? 0) ^ 1;
    t.is(openFrame(keys.base, damaged, generation), undefined);
  }
});

test("what is no frame is told from one", (t) => {
  const frame = sealFrame(keys.base, 1, plaintext);
  t.is(parseFrame(frame)?.nonce, 1);
  for (let length = 0; length < frame.length; length++) {
    t.is(parseFrame(frame.subarray(0, length)), undefined);
  }
  t.is(parseFrame(Buffer.concat([frame, Buffer.of(1)])), undefined, "padding hides the marker");
  t.is(parseFrame(Buffer.from("f8fffe", "hex")), undefined);
  // A nonce that never ends, one beyond 32 bits, ranges that overlap or leave the frame.
  for (const trailer of ["ffffffffffff", "ffffffff1f", "0105020501", "010214"]) {
    const numbers = Buffer.from(trailer, "hex");
    const size = Buffer.of(8 + numbers.length + 3);
    const marker = Buffer.from("fafa", "hex");
    const bytes = Buffer.concat([Buffer.alloc(10), Buffer.alloc(8), numbers, size, marker]);
    t.is(parseFrame(bytes), undefined, trailer);
  }
});

function sender(): ExternalSender {
  const point = capture.externalSender.subarray(3, 67);
  const key = createPrivateKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: "P-256",
      d: capture.privateKey.toString("base64url"),
      x: point.subarray(0, 32).toString("base64url"),
      y: point.subarray(32).toString("base64url"),
    },
  });
  return new ExternalSender(capture.channelId, key);
}

function isSignedBySender(framed: Buffer, signature: Buffer): boolean {
  const point = capture.externalSender.subarray(3, 67);
  const x = point.subarray(0, 32).toString("base64url");
  const y = point.subarray(32).toString("base64url");
  const key = createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y } });
  const label = vec(Buffer.from("MLS 1.0 FramedContentTBS"));
  return verify("sha256", Buffer.concat([label, vec(framed)]), key, signature);
}
