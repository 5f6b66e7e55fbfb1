/** What only a hostile gateway sends: proposals that no member may commit, and messages made for somebody else. */

import type { KeyObject } from "node:crypto";
import { u8, u16, u64, vec } from "./bytes.ts";
import {
  type ExternalSender,
  newKey,
  publicKeyBytes,
  type SignedProposal,
  signWithLabel,
} from "./external-sender.ts";
import { parseWelcome } from "./mls.ts";

/** Proposals that a member has to refuse. */
export const HOSTILE_PROPOSALS = [
  "unknown_user",
  "wrong_epoch",
  "bad_signature",
  "member_sender",
  "update",
  "pre_shared_key",
  "remove_beyond",
] as const;

/** One of {@link HOSTILE_PROPOSALS}. */
export type HostileProposal = (typeof HOSTILE_PROPOSALS)[number];

const UPDATE = 2;
const PRE_SHARED_KEY = 4;
/** No call has so many leaves. */
const FAR_LEAF = 0x00ff_ffff;

/** A proposal of a kind, in the name of the external sender or not. */
export function hostileProposal(
  kind: HostileProposal,
  sender: ExternalSender,
  { epoch, userId }: { epoch: bigint; userId: string },
): SignedProposal {
  const stranger = (): Buffer => forgedKeyPackage(userId);
  switch (kind) {
    case "unknown_user":
      return sender.add(epoch, stranger());
    case "wrong_epoch":
      return sender.add(epoch + 7n, stranger());
    case "bad_signature":
      return sender.add(epoch, stranger(), { signsWrongly: true });
    case "member_sender":
      return sender.add(epoch, stranger(), { memberLeaf: 0 });
    case "update":
      return sender.proposal(epoch, Buffer.concat([u16(UPDATE), leafNode(userId).signed]));
    case "pre_shared_key":
      return sender.proposal(
        epoch,
        Buffer.concat([u16(PRE_SHARED_KEY), u8(1), vec(Buffer.from("key")), vec(Buffer.alloc(32))]),
      );
    case "remove_beyond":
      return sender.remove(epoch, FAR_LEAF);
  }
}

/** A sound key package of any user, whose private keys nobody has. */
export function forgedKeyPackage(userId: string): Buffer {
  const { signed, key } = leafNode(userId);
  const initKey = publicKeyBytes(newKey());
  const content = Buffer.concat([u16(1), u16(2), vec(initKey), signed, vec(Buffer.alloc(0))]);
  return Buffer.concat([content, vec(signWithLabel(key, "KeyPackageTBS", content))]);
}

/** The body of op 29 or 30 made for others: another group's commit, or a Welcome for another key package. */
export function madeForOthers(op: 29 | 30, payload: Buffer): Buffer {
  const other = Buffer.from(payload);
  if (op === 29) {
    // The group id stands behind the transition's id, version, wire format and its own length.
    other.writeUInt8((other[7] ?? 0) ^ 0xff, 7);
    return other;
  }
  for (const { ref } of parseWelcome(payload.subarray(2)).secrets) {
    other.fill(0xee, other.indexOf(ref), other.indexOf(ref) + ref.length);
  }
  return other;
}

function leafNode(userId: string): { signed: Buffer; key: KeyObject } {
  const key = newKey();
  const content = Buffer.concat([
    vec(publicKeyBytes(newKey())),
    vec(publicKeyBytes(key)),
    u16(1),
    vec(u64(BigInt(userId))),
    ...[u16(1), u16(2), Buffer.alloc(0), Buffer.alloc(0), u16(1)].map(vec),
    u8(1),
    u64(0n),
    u64(2n ** 64n - 1n),
    vec(Buffer.alloc(0)),
  ]);
  const signature = vec(signWithLabel(key, "LeafNodeTBS", content));
  return { signed: Buffer.concat([content, signature]), key };
}
