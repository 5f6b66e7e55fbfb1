/** One client in an end-to-end encrypted channel, as the server knows it. */

import type { VoiceSession } from "../session.ts";
import { madeForOthers } from "./forged.ts";
import { parseFrame } from "./frame-codec.ts";
import type { KeyPackage } from "./mls.ts";
import type { DaveMessage, DaveSettings } from "./settings.ts";

/** Audio in clear may still be under way for so long when it has to be encrypted. */
const PLAIN_GRACE_MS = 1000;
/** A key package is due at once; this allows for a busy machine. */
const KEY_PACKAGE_WITHIN_MS = 10_000;
/** More key packages within this time are no honest client's. */
const KEY_PACKAGE_WINDOW_MS = 10_000;
const MAX_KEY_PACKAGES = 50;

/** A peer, from the session description to the end of the session. */
export class Peer {
  readonly session: VoiceSession;
  /** Its key package that nobody has used yet. */
  keyPackage: KeyPackage | undefined;
  /** The signature key of its leaf, once it is a member. */
  signatureKey: Buffer | undefined;
  /** Its session has ended. */
  isGone = false;
  /** Whether it has op 25. */
  knowsSender = false;
  /** It said by op 31, or by a new key package, that it has lost the group. */
  hasFailed = false;
  /** Monotonic milliseconds until which audio in clear is right. */
  plainUntilMs: number;
  /** Highest version that it announced. */
  readonly maxVersion: number;
  readonly #settings: DaveSettings;
  readonly #timers = new Set<NodeJS.Timeout>();
  #missing: NodeJS.Timeout | undefined;
  readonly #keyPackagesMs: number[] = [];
  /** References of its latest key packages, each good for one use. */
  readonly #keyPackages = new Set<string>();
  #lastNonce = 0;
  /** New keys that it may have begun before, in the count of the channel. */
  #usedKeys: number;

  constructor(
    session: VoiceSession,
    settings: DaveSettings,
    { version, keys }: { version: number; keys: number },
  ) {
    this.session = session;
    this.#usedKeys = keys;
    this.#settings = settings;
    this.maxVersion = session.seed.daveVersion;
    this.plainUntilMs = version === 0 ? Number.POSITIVE_INFINITY : 0;
  }

  get userId(): string {
    return this.session.seed.userId;
  }

  /** Sends a numbered JSON message, unless a fault has other plans. */
  send(op: number, d: Record<string, unknown>): void {
    this.#meetFate({ ...this.#place(op), d });
  }

  /** Sends a numbered binary message, unless a fault has other plans. */
  sendBinary(op: number, payload: Buffer): void {
    this.#meetFate({ ...this.#place(op), payload });
  }

  /** Lets audio in clear through from now on. */
  allowPlain(): void {
    this.plainUntilMs = Number.POSITIVE_INFINITY;
  }

  /** Objects to audio in clear after a moment. */
  forbidPlain(): void {
    this.plainUntilMs = Math.min(this.plainUntilMs, performance.now() + PLAIN_GRACE_MS);
  }

  /** Looks at what the peer sends as audio; what is no silence frame has to be encrypted, each with a nonce of its own. */
  inspect(payload: Buffer, isSilence: boolean, keys: number): void {
    const frame = parseFrame(payload);
    if (!frame) {
      if (isSilence || performance.now() <= this.plainUntilMs) return;
      const bytes = payload.length;
      this.session.object("dave_plaintext", `a packet of ${bytes} bytes is not encrypted`);
      return;
    }
    const last = this.#lastNonce;
    this.#lastNonce = frame.nonce;
    const isFresh = last === 0 || frame.nonce <= last;
    if (!isFresh) return;
    // Each commit gives every member one new key, with which the nonces begin again.
    if (this.#usedKeys < keys) this.#usedKeys += 1;
    else if (last > 0)
      this.session.object("dave_nonce_order", `frame nonce ${frame.nonce} follows ${last}`);
  }

  /** Objects when no key package comes in time. */
  expectKeyPackage(): void {
    clearTimeout(this.#missing);
    this.#missing = setTimeout(() => {
      this.session.object("dave_key_package_missing", "no key package came after a new beginning");
    }, KEY_PACKAGE_WITHIN_MS);
    this.#missing.unref();
  }

  /** Notes a key package; false when they come too fast. */
  noteKeyPackage(): boolean {
    clearTimeout(this.#missing);
    const nowMs = performance.now();
    this.#keyPackagesMs.push(nowMs);
    if (this.#keyPackagesMs.length <= MAX_KEY_PACKAGES) return true;
    return nowMs - (this.#keyPackagesMs.shift() ?? 0) > KEY_PACKAGE_WINDOW_MS;
  }

  /** Notes a key package's reference; false when it came before. */
  noteReference(ref: Buffer): boolean {
    const hex = ref.toString("hex");
    if (this.#keyPackages.has(hex)) return false;
    this.#keyPackages.add(hex);
    for (const oldest of this.#keyPackages) {
      if (this.#keyPackages.size <= MAX_KEY_PACKAGES) break;
      this.#keyPackages.delete(oldest);
    }
    return true;
  }

  /** Sends nothing more that was delayed. */
  close(): void {
    this.isGone = true;
    clearTimeout(this.#missing);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #place(op: number): DaveMessage {
    const { guildId, channelId, userId } = this.session.seed;
    return { op, guildId, channelId, toUserId: userId };
  }

  #meetFate(message: DaveMessage): void {
    const fate = this.#settings.fateOf(message);
    if (fate === "drop") return;
    if (fate === "corrupt") return this.#out(corrupted(message));
    if (fate === "foreign") return this.#out(foreign(message));
    if (typeof fate === "object" && "delayMs" in fate) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#out(message);
      }, fate.delayMs);
      this.#timers.add(timer);
      return;
    }
    this.#out(typeof fate === "object" ? { ...message, ...fate } : message);
    if (fate === "duplicate") this.#out(message);
  }

  #out({ op, d, payload }: DaveMessage): void {
    if (payload) this.session.sendBinary(op, payload);
    else this.session.sendNumbered(op, d);
  }
}

function foreign(message: DaveMessage): DaveMessage {
  const { op, payload } = message;
  if (!payload || (op !== 29 && op !== 30)) return message;
  return { ...message, payload: madeForOthers(op, payload) };
}

/** The message with a bit of its last bytes changed, where signatures and ciphertexts are. */
function corrupted(message: DaveMessage): DaveMessage {
  const { payload } = message;
  if (!payload || payload.length === 0) return message;
  const damaged = Buffer.from(payload);
  const at = damaged.length - 1 - Math.min(40, damaged.length - 1);
  damaged[at] = (damaged[at] ?? 0) ^ 1;
  return { ...message, payload: damaged };
}
