/**
 * A discord.js bot that records a voice channel, one WAV file per speaker: `!record` begins in the caller's channel,
 * `!stop` ends and lists the files.
 *
 * Shows recordings that are made without any sound reaching JavaScript, and that keep time: all files begin and end
 * with the recording, so that they can be laid over each other. Leaves out asking everybody for their consent, which
 * you must not. Needs `npm install discord.js cadenza`, the message content intent, and DISCORD_TOKEN.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RecordedFile, Recording, VoiceConnection, VoiceManager } from "cadenza";

/** Records everybody in the connection's channel to `<folder>/<user id>.wav`; what `stop` gives are the files. */
export async function recordSpeakers(
  connection: VoiceConnection,
  folder: string,
): Promise<Recording> {
  await mkdir(folder, { recursive: true });
  return connection.receiver.record({
    path: join(folder, "{user}.wav"),
    format: "wav",
    channels: 1,
    fromStart: true,
  });
}

/** One line per file: who, and for how long. */
export function listing(files: readonly RecordedFile[]): string {
  const lines = files.map(
    ({ userId, path, durationMs }) => `${userId}: ${path}, ${(durationMs / 1000).toFixed(1)} s`,
  );
  return lines.join("\n") || "Nobody said anything.";
}

/** The bot. */
async function main(): Promise<void> {
  const { VoiceManager } = await import("cadenza");
  const { Client } = await import("discord.js");
  const client = new Client({
    intents: ["Guilds", "GuildVoiceStates", "GuildMessages", "MessageContent"],
  });
  const recordings = new Map<string, Recording>();
  let manager: VoiceManager | undefined;
  client.once("clientReady", ({ user }) => {
    manager = new VoiceManager({ userId: user.id });
  });
  client.on("messageCreate", async (message) => {
    const { content, guild, member } = message;
    const channelId = member?.voice.channelId;
    if (!manager || !guild) return;
    const recording = recordings.get(guild.id);
    if (content === "!record" && channelId && !recording) {
      const adapterCreator = guild.voiceAdapterCreator;
      const connection = manager.connection(guild.id, { adapterCreator });
      await connection.join(channelId, { selfDeaf: false });
      recordings.set(guild.id, await recordSpeakers(connection, `recordings/${message.id}`));
    }
    if (content !== "!stop" || !recording) return;
    recordings.delete(guild.id);
    await message.reply(listing(await recording.stop()));
    await manager.get(guild.id)?.destroy();
  });
  await client.login(process.env.DISCORD_TOKEN);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
