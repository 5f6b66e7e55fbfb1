// @discordjs/voice in an end-to-end encrypted call: plays a file over and over and writes down what one user says. Node 22.

import { createReadStream } from "node:fs";
import { registerHooks } from "node:module";
import { createInterface } from "node:readline";

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
  EndBehaviorType,
  entersState,
  joinVoiceChannel,
  StreamType,
  VoiceConnectionStatus,
} = await import("@discordjs/voice");

const { credentials, track, listenTo } = JSON.parse(process.argv[2]);
const { guildId, channelId, userId, sessionId, token, endpoint } = credentials;
const heard = [];
let errors = 0;

const connection = joinVoiceChannel({
  guildId,
  channelId,
  selfDeaf: false,
  daveEncryption: true,
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
await entersState(connection, VoiceConnectionStatus.Ready, 30_000);
const stream = connection.receiver.subscribe(listenTo, {
  end: { behavior: EndBehaviorType.Manual },
});
stream.on("data", (packet) => heard.push(packet.toString("hex")));
stream.on("error", () => {
  errors += 1;
});
const player = createAudioPlayer();
connection.subscribe(player);
const play = () =>
  player.play(createAudioResource(createReadStream(track), { inputType: StreamType.OggOpus }));
player.on(AudioPlayerStatus.Idle, play);
play();
await entersState(player, AudioPlayerStatus.Playing, 30_000);
process.stdout.write(`${JSON.stringify({ playing: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "stop") break;
}
player.off(AudioPlayerStatus.Idle, play);
player.stop(true);
connection.destroy();
await new Promise((resolve) =>
  process.stdout.write(`${JSON.stringify({ heard, errors })}\n`, resolve),
);
process.exit(0);
