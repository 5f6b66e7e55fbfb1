/** The voice gateway as MLS external sender: signs the proposals that add and remove members. */

import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { u8, u16, u32, u64, vec } from "./bytes.ts";

const MLS10 = 1;
const PUBLIC_MESSAGE = 1;
const EXTERNAL_SENDER = 2;
const PROPOSAL_CONTENT = 2;
const BASIC_CREDENTIAL = 1;
const ADD = 1;
const REMOVE = 3;

/** A signed proposal: the same bytes go to everybody, for a second signature would give another reference. */
export interface SignedProposal {
  /** The MLSMessage. */
  message: Buffer;
  /** ProposalRef, by which commits name it. */
  ref: Buffer;
}

/** What a hostile gateway can get wrong in a proposal. */
export interface ProposalFaults {
  /** Signs with another key. */
  signsWrongly?: boolean;
  /** Claims to be the member at this leaf. */
  memberLeaf?: number;
}

/** One signing key, and what it signs. */
export class ExternalSender {
  /** Body of op 25. */
  readonly message: Buffer;
  readonly #key: KeyObject;
  readonly #channelId: bigint;

  constructor(channelId: string, key: KeyObject = newKey()) {
    this.#channelId = BigInt(channelId);
    this.#key = key;
    this.message = Buffer.concat([vec(publicKeyBytes(key)), u16(BASIC_CREDENTIAL), vec(u8(0))]);
  }

  /** An Add of a key package. */
  add(epoch: bigint, keyPackage: Uint8Array, faults?: ProposalFaults): SignedProposal {
    return this.proposal(epoch, Buffer.concat([u16(ADD), keyPackage]), faults);
  }

  /** A Remove of a leaf. */
  remove(epoch: bigint, leaf: number, faults?: ProposalFaults): SignedProposal {
    return this.proposal(epoch, Buffer.concat([u16(REMOVE), u32(leaf)]), faults);
  }

  /** Any proposal, its type and body given as bytes. */
  proposal(epoch: bigint, body: Uint8Array, faults: ProposalFaults = {}): SignedProposal {
    const { memberLeaf, signsWrongly } = faults;
    const sender =
      memberLeaf === undefined
        ? Buffer.concat([u8(EXTERNAL_SENDER), u32(0)])
        : Buffer.concat([u8(1), u32(memberLeaf)]);
    const content = Buffer.concat([
      vec(u64(this.#channelId)),
      u64(epoch),
      sender,
      vec(Buffer.alloc(0)),
      u8(PROPOSAL_CONTENT),
      body,
    ]);
    const framed = Buffer.concat([u16(MLS10), u16(PUBLIC_MESSAGE), content]);
    const key = signsWrongly ? newKey() : this.#key;
    const signature = vec(signWithLabel(key, "FramedContentTBS", framed));
    const tag = memberLeaf === undefined ? Buffer.alloc(0) : vec(Buffer.alloc(32));
    const authenticated = Buffer.concat([u16(PUBLIC_MESSAGE), content, signature]);
    return {
      message: Buffer.concat([framed, signature, tag]),
      ref: refHash("MLS 1.0 Proposal Reference", authenticated),
    };
  }
}

/** Body of op 27 that adds proposals to the epoch. */
export function appendMessage(proposals: readonly SignedProposal[]): Buffer {
  return Buffer.concat([u8(0), vec(Buffer.concat(proposals.map(({ message }) => message)))]);
}

/** Body of op 27 that takes proposals back. */
export function revokeMessage(proposals: readonly Pick<SignedProposal, "ref">[]): Buffer {
  return Buffer.concat([u8(1), vec(Buffer.concat(proposals.map(({ ref }) => vec(ref))))]);
}

/** RFC 9420, section 5.2. */
export function refHash(label: string, value: Uint8Array): Buffer {
  return createHash("sha256")
    .update(vec(Buffer.from(label)))
    .update(vec(value))
    .digest();
}

/** What `SignWithLabel` signs (RFC 9420, section 5.1.2). */
export function signedContent(label: string, content: Uint8Array): Buffer {
  return Buffer.concat([vec(Buffer.from(`MLS 1.0 ${label}`)), vec(content)]);
}

/** RFC 9420, section 5.1.2; the signature is DER. */
export function signWithLabel(key: KeyObject, label: string, content: Uint8Array): Buffer {
  return sign("sha256", signedContent(label, content), key);
}

/** A fresh signing key on P-256. */
export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** The uncompressed point of a key, 65 bytes. */
export function publicKeyBytes(key: KeyObject): Buffer {
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return Buffer.concat([u8(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}
