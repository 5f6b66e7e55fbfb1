/** The optional package that simulated members encrypt with, loaded when the first of them needs it. */

import { optionalPackage } from "../packages.ts";

/** A signing key pair: 32 and 65 bytes. */
export interface DaveyKeyPair {
  private: Buffer;
  public: Buffer;
}

/** What is used of the package's session. */
export interface DaveySession {
  readonly epoch: bigint | null;
  readonly voicePrivacyCode: string;
  reinit(version: number, userId: string, channelId: string, keys: DaveyKeyPair): void;
  reset(): void;
  setExternalSender(data: Buffer): void;
  getSerializedKeyPackage(): Buffer;
  /** `operation`: 0 appends, 1 revokes. */
  processProposals(
    operation: number,
    proposals: Buffer,
    recognizedUserIds?: string[],
  ): { commit?: Buffer; welcome?: Buffer };
  processWelcome(welcome: Buffer): void;
  processCommit(commit: Buffer): void;
  encryptOpus(packet: Buffer): Buffer;
  /** `mediaType`: 0 is audio. */
  decrypt(userId: string, mediaType: number, packet: Buffer): Buffer;
  getUserIds(): string[];
  getVerificationCode(userId: string): Promise<string>;
}

/** What is used of the package. */
export interface Davey {
  DAVESession: new (
    version: number,
    userId: string,
    channelId: string,
    keys: DaveyKeyPair,
  ) => DaveySession;
  generateP256Keypair(): DaveyKeyPair;
}

/**
 * Loads @snazzah/davey.
 *
 * @throws CadenzaError `package_missing` when it is not installed.
 */
export function loadDavey(): Davey {
  return optionalPackage<Davey>("@snazzah/davey", "members of an end-to-end encrypted channel");
}
