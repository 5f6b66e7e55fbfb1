// @discordjs/voice under Node 22: a real AudioPlayer for each call, with Opus frames that are ready to send, its
// lightest way. With `shared`, one player for all connections.

import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import {
  config,
  credentialsOf,
  forEachCall,
  loaded,
  nowNs,
  on,
  readFrames,
  say,
} from "./common.mjs";

const peers = createRequire(config.peers);
const {
  createAudioPlayer,
  createAudioResource,
  entersState,
  joinVoiceChannel,
  NoSubscriberBehavior,
  StreamType,
  VoiceConnectionStatus,
} = await import(pathToFileURL(peers.resolve("@discordjs/voice")).href);
const frames = readFrames();
await loaded();

const connections = [];
/** The player that began last. */
let playing;
await forEachCall(async (call) => {
  const connection = join(call);
  await entersState(connection, VoiceConnectionStatus.Ready, 60_000);
  connections.push(connection);
  if (config.work === "play" || config.work === "encode") play(connection);
}, config.joins);
if (config.work === "shared") {
  const player = newPlayer();
  for (const connection of connections) connection.subscribe(player);
  player.play(samples());
}
on("play", () => {
  say({ playedNs: nowNs() });
  play(connections[0]);
});
on("stop", () => playing?.stop(true));
say({ ready: true });

function join(call) {
  const { guildId, channelId, userId, sessionId, token, endpoint } = credentialsOf(call);
  return joinVoiceChannel({
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
}

function play(connection) {
  playing = newPlayer();
  connection.subscribe(playing);
  playing.play(config.work === "encode" ? samples() : ready());
}

function newPlayer() {
  return createAudioPlayer({
    behaviors: { noSubscriber: NoSubscriberBehavior.Play, maxMissedFrames: 1_000_000 },
  });
}

/** Opus frames without end. */
function ready() {
  const source = (function* () {
    for (;;) yield* frames;
  })();
  return createAudioResource(Readable.from(source, { objectMode: true }), {
    inputType: StreamType.Opus,
  });
}

/** Samples, which @discordjs/opus encodes. */
function samples() {
  const stream = createReadStream(config.wav, { start: 44 });
  return createAudioResource(stream, { inputType: StreamType.Raw });
}
