/** What members send to the gateway: key packages, commits and welcomes, read as far as a gateway can. */

import { createPublicKey, verify } from "node:crypto";
import { ByteReader, MalformedError, u16, vec } from "./bytes.ts";
import { refHash, signedContent } from "./external-sender.ts";

const MLS10 = 1;
const PUBLIC_MESSAGE = 1;
const CIPHER_SUITE = 2;
const BASIC_CREDENTIAL = 1;
const MEMBER_SENDER = 1;
const COMMIT_CONTENT = 3;
const POINT_BYTES = 65;
const SOURCE_KEY_PACKAGE = 1;
const SOURCE_COMMIT = 3;
const NEVER = 2n ** 64n - 1n;
const TAG_BYTES = 32;

/** A member's key package that was checked. */
export interface KeyPackage {
  bytes: Buffer;
  /** KeyPackageRef, by which welcomes name it. */
  ref: Buffer;
  userId: string;
  signatureKey: Buffer;
}

/** A commit as far as a gateway can read it. */
export interface Commit {
  /** The MLSMessage, without what follows it. */
  message: Buffer;
  groupId: Buffer;
  epoch: bigint;
  senderLeaf: number;
  /** ProposalRefs, in the order in which they are applied. */
  refs: Buffer[];
  /** Whether it carries proposals of its own. */
  hasInline: boolean;
  /** The committer's new leaf, when there is a path. */
  path: { userId: string; signatureKey: Buffer } | undefined;
  /** What follows the commit. */
  welcome: Welcome | undefined;
}

/** A Welcome, taken apart. */
export interface Welcome {
  /** The whole of it. */
  bytes: Buffer;
  secrets: { ref: Buffer; bytes: Buffer }[];
  groupInfo: Buffer;
}

interface LeafNode {
  userId: string;
  signatureKey: Buffer;
}

/**
 * Reads and checks the body of op 26: sizes, suite, credential, lifetime, capabilities and both signatures.
 *
 * @throws MalformedError with what is wrong.
 */
export function parseKeyPackage(bytes: Buffer): KeyPackage {
  const reader = new ByteReader(bytes);
  expect(reader.u16(), MLS10, "version");
  expect(reader.u16(), CIPHER_SUITE, "cipher suite");
  expect(reader.vec().length, POINT_BYTES, "length of the init key");
  const begin = reader.at;
  const leaf = readLeafNode(reader, SOURCE_KEY_PACKAGE);
  const leafContent = reader.since(begin);
  verifyLabelled(leaf.signatureKey, "LeafNodeTBS", leafContent, reader.vec());
  expect(reader.vec().length, 0, "number of key package extensions");
  const content = reader.since(0);
  verifyLabelled(leaf.signatureKey, "KeyPackageTBS", content, reader.vec());
  reader.end();
  return { bytes, ref: refHash("MLS 1.0 KeyPackage Reference", bytes), ...leaf };
}

/**
 * Reads the body of op 28: a commit, and the Welcome that may follow it.
 *
 * @throws MalformedError with what is wrong.
 */
export function parseCommit(bytes: Buffer): Commit {
  const reader = new ByteReader(bytes);
  expect(reader.u16(), MLS10, "version");
  expect(reader.u16(), PUBLIC_MESSAGE, "wire format");
  const groupId = reader.vec();
  const epoch = reader.u64();
  expect(reader.u8(), MEMBER_SENDER, "sender type");
  const senderLeaf = reader.u32();
  reader.vec();
  expect(reader.u8(), COMMIT_CONTENT, "content type");
  const { refs, hasInline } = readProposalList(reader.vec());
  const path = reader.u8() === 1 ? readPath(reader) : undefined;
  reader.vec();
  expect(reader.vec().length, TAG_BYTES, "length of the confirmation tag");
  expect(reader.vec().length, TAG_BYTES, "length of the membership tag");
  const message = reader.since(0);
  const welcome = reader.isDone ? undefined : parseWelcome(reader.rest());
  return { message, groupId, epoch, senderLeaf, refs, hasInline, path, welcome };
}

/**
 * Reads a bare Welcome.
 *
 * @throws MalformedError with what is wrong.
 */
export function parseWelcome(bytes: Buffer): Welcome {
  const reader = new ByteReader(bytes);
  expect(reader.u16(), CIPHER_SUITE, "cipher suite");
  const list = new ByteReader(reader.vec());
  const secrets: Welcome["secrets"] = [];
  while (!list.isDone) {
    const begin = list.at;
    const ref = list.vec();
    list.vec();
    list.vec();
    secrets.push({ ref, bytes: list.since(begin) });
  }
  const groupInfo = reader.vec();
  reader.end();
  return { bytes, secrets, groupInfo };
}

/** The Welcome with the one entry that is for a recipient; undefined when there is none. */
export function narrowWelcome(welcome: Welcome, ref: Buffer): Buffer | undefined {
  const own = welcome.secrets.find((secret) => secret.ref.equals(ref));
  return own && Buffer.concat([u16(CIPHER_SUITE), vec(own.bytes), vec(welcome.groupInfo)]);
}

/** A proposal message of op 27, as far as a member's own bookkeeping needs it. */
export interface ProposalMessage {
  bytes: Buffer;
  ref: Buffer;
  isAdd: boolean;
}

/**
 * Splits the vector of an op 27 append into its messages, which carry no lengths.
 *
 * @throws MalformedError for anything but Adds and Removes of the external sender.
 */
export function splitProposals(vector: Buffer): ProposalMessage[] {
  const outer = new ByteReader(vector);
  const reader = new ByteReader(outer.vec());
  const messages: ProposalMessage[] = [];
  while (!reader.isDone) {
    const begin = reader.at;
    expect(reader.u16(), MLS10, "version");
    expect(reader.u16(), PUBLIC_MESSAGE, "wire format");
    reader.vec();
    reader.u64();
    expect(reader.u8(), 2, "sender type");
    reader.u32();
    reader.vec();
    expect(reader.u8(), 2, "content type");
    const type = reader.u16();
    if (type === 1) skipKeyPackage(reader);
    else if (type === 3) reader.u32();
    else throw new MalformedError(`the proposal type is ${type}`);
    reader.vec();
    const bytes = reader.since(begin);
    const ref = refHash("MLS 1.0 Proposal Reference", bytes.subarray(2));
    messages.push({ bytes, ref, isAdd: type === 1 });
  }
  return messages;
}

function skipKeyPackage(reader: ByteReader): void {
  reader.u16();
  reader.u16();
  reader.vec();
  readLeafNode(reader, SOURCE_KEY_PACKAGE);
  reader.vec();
  reader.vec();
  reader.vec();
}

function readProposalList(list: Buffer): { refs: Buffer[]; hasInline: boolean } {
  const reader = new ByteReader(list);
  const refs: Buffer[] = [];
  while (!reader.isDone) {
    // Where a proposal of the commit's own ends cannot be told without reading it, and it is refused anyway.
    if (reader.u8() !== 2) return { refs, hasInline: true };
    refs.push(reader.vec());
  }
  return { refs, hasInline: false };
}

function readPath(reader: ByteReader): LeafNode {
  const leaf = readLeafNode(reader, SOURCE_COMMIT);
  reader.vec();
  reader.vec();
  return leaf;
}

/** A leaf node up to its signature, which the caller reads. */
function readLeafNode(reader: ByteReader, source: number): LeafNode {
  expect(reader.vec().length, POINT_BYTES, "length of the encryption key");
  const signatureKey = reader.vec();
  expect(signatureKey.length, POINT_BYTES, "length of the signature key");
  expect(reader.u16(), BASIC_CREDENTIAL, "credential type");
  const identity = reader.vec();
  expect(identity.length, 8, "length of the identity");
  readCapabilities(reader);
  expect(reader.u8(), source, "leaf node source");
  if (source === SOURCE_KEY_PACKAGE) {
    if (reader.u64() !== 0n || reader.u64() !== NEVER) {
      throw new MalformedError("the lifetime is not unlimited");
    }
  } else {
    reader.vec();
  }
  expect(reader.vec().length, 0, "number of leaf node extensions");
  return { userId: `${identity.readBigUInt64BE(0)}`, signatureKey };
}

function readCapabilities(reader: ByteReader): void {
  const lists = { versions: "0001", ciphersuites: "0002", extensions: "", proposals: "" };
  for (const [name, wanted] of [...Object.entries(lists), ["credentials", "0001"]]) {
    const list = reader.vec().toString("hex");
    if (list !== wanted) throw new MalformedError(`the capabilities' ${name} are ${list}`);
  }
}

function verifyLabelled(point: Buffer, label: string, content: Buffer, signature: Buffer): void {
  let isGood = false;
  try {
    const x = point.subarray(1, 33).toString("base64url");
    const y = point.subarray(33).toString("base64url");
    const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
    isGood = point[0] === 4 && verify("sha256", signedContent(label, content), key, signature);
  } catch {
    throw new MalformedError("the signature key is no point of the curve");
  }
  if (!isGood) throw new MalformedError(`the signature of ${label} is wrong`);
}

function expect(actual: number, wanted: number, what: string): void {
  if (actual !== wanted) throw new MalformedError(`the ${what} is ${actual}, not ${wanted}`);
}
