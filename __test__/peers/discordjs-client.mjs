// @discordjs/voice with its real AudioPlayer: joins through an adapter and plays an Ogg Opus file. Runs under Node 22.

import { createReadStream } from "node:fs";
import { registerHooks } from "node:module";

// @discordjs/voice cannot use the sodium-native it would find in the folder above; without it, it takes @noble/ciphers.
registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === "sodium-native") throw new Error("hidden");
    return nextResolve(specifier, context);
  },
});
const {
  AudioPlayerStatus,
  createAudioPlayer,
  createAudioResource,
  entersState,
  joinVoiceChannel,
  StreamType,
  VoiceConnectionStatus,
} = await import("@discordjs/voice");

const { credentials, track } = JSON.parse(process.argv[2]);
const { guildId, channelId, userId, sessionId, token, endpoint } = credentials;

const connection = joinVoiceChannel({
  guildId,
  channelId,
  daveEncryption: false,
  adapterCreator: (methods) => {
    setImmediate(() => {
      methods.onVoiceStateUpdate({
        guild_id: guildId,
        channel_id: channelId,
        user_id: userId,
        session_id: sessionId,
      });
      methods.onVoiceServerUpdate({ guild_id: guildId, token, endpoint });
    });
    return { sendPayload: () => true, destroy: () => undefined };
  },
});
await entersState(connection, VoiceConnectionStatus.Ready, 15_000);
const player = createAudioPlayer();
connection.subscribe(player);
player.play(createAudioResource(createReadStream(track), { inputType: StreamType.OggOpus }));
await entersState(player, AudioPlayerStatus.Playing, 10_000);
await entersState(player, AudioPlayerStatus.Idle, 30_000);
// The player's five silence frames follow the end of the file.
await new Promise((resolve) => setTimeout(resolve, 300));
connection.destroy();
process.exit(0);
