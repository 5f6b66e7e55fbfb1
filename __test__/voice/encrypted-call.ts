/** What the tests of encrypted calls share: who is in the room, what they hear, and waiting for either. */

import type { HeardPacket, SimMember } from "../../ts/simulator/index.ts";
import type { EncryptionState } from "../../ts/voice/encryption.ts";
import { type Bench, type BenchOptions, channelId, guildId, userId } from "./bench.ts";

export const FRIEND = "852892297661906993";
export const OTHER = "613425648685547541";
export const room = { guildId, channelId };
export const encrypted: BenchOptions = { simulator: { daveProtocolVersion: 1 } };

/** Waits, for half a minute at most, until a member has heard so many frames of the bot. */
export async function hears(member: SimMember, count: number): Promise<void> {
  await member.heard.waitFor(() => sounding(member).length >= count, 30_000);
}

/** The frames that a member heard from the bot, in hex; silence frames are left out. */
export function music(member: SimMember): string[] {
  return sounding(member).map(({ opus }) => hex(opus));
}

export function hex(frame: Uint8Array): string {
  return Buffer.from(frame).toString("hex");
}

/** Resolves when the encryption of the call is as described. */
export async function state(
  bench: Bench,
  isSo: (state: EncryptionState) => boolean,
): Promise<void> {
  const { encryption } = bench.connection;
  if (isSo(encryption.state)) return;
  await new Promise<void>((resolve) => {
    const watch = (now: EncryptionState): void => {
      if (!isSo(now)) return;
      encryption.off("change", watch);
      resolve();
    };
    encryption.on("change", watch);
  });
}

function sounding(member: SimMember): HeardPacket[] {
  return member.heard.packets.filter((packet) => packet.userId === userId && !packet.silence);
}
