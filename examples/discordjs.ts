/**
 * A discord.js bot that plays a URL in the caller's voice channel: `!play <url>`, `!pause`, `!resume`, `!leave`.
 *
 * Shows how `guild.voiceAdapterCreator` is handed over unchanged, and what to listen to. Leaves out queues, permissions
 * and slash commands. Needs `npm install discord.js cadenza`, the message content intent, and DISCORD_TOKEN.
 */

import { type VoiceConnection, VoiceManager } from "cadenza";
import { Client, type Message } from "discord.js";

const client = new Client({
  intents: ["Guilds", "GuildVoiceStates", "GuildMessages", "MessageContent"],
});
let manager: VoiceManager | undefined;

client.once("clientReady", ({ user }) => {
  manager = new VoiceManager({ userId: user.id });
});

client.on("messageCreate", (message) => {
  command(message).catch((error: Error) => void message.reply(error.message));
});

async function command(message: Message): Promise<void> {
  const [name, url = ""] = message.content.split(/\s+/);
  const { guild, member } = message;
  if (!manager || !guild) return;
  const playing = manager.get(guild.id);
  if (name === "!pause") playing?.player.pause();
  if (name === "!resume") playing?.player.resume();
  if (name === "!leave") await playing?.destroy();
  const channelId = member?.voice.channelId;
  if (name !== "!play" || !channelId) return;
  const connection =
    playing ?? watch(manager.connection(guild.id, { adapterCreator: guild.voiceAdapterCreator }));
  await connection.join(channelId);
  connection.player.play({ kind: "http", url });
}

/** Says what happens to a connection; a track that fails and a connection that ends both have a reason. */
function watch(connection: VoiceConnection): VoiceConnection {
  connection.player.on("trackError", (_track, { code, message }) => {
    process.stderr.write(`track failed: ${code}, ${message}\n`);
  });
  connection.on("stateChange", (status, reason) => {
    if (status !== "disconnected") return;
    process.stderr.write(`left: ${reason?.code}, ${reason?.message}\n`);
    void connection.destroy();
  });
  return connection;
}

await client.login(process.env.DISCORD_TOKEN);
