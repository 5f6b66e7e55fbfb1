/** cadenza through its public library: a manager, a connection per call, and its player. */

import { Engine, type VoiceConnection, VoiceManager } from "../../ts/index.ts";
import { config, credentialsOf, forEachCall, loaded, nowNs, on, say } from "./common.mjs";

const engine = new Engine({ pacers: config.pacers ?? 1, maxPacers: config.pacers ?? 1 });
const manager = new VoiceManager({
  userId: credentialsOf(1).userId,
  engine,
  gateway: config.certificate ? { tls: { ca: config.certificate } } : { insecureEndpoints: true },
});
await loaded();

const joined: VoiceConnection[] = [];
await forEachCall(async (call) => {
  const { endpoint, ...rest } = credentialsOf(call);
  const connection = manager.connection(rest.guildId);
  const ready = new Promise<void>((resolve, reject) => {
    connection.on("stateChange", (status, reason) => {
      if (status === "ready") resolve();
      if (status === "disconnected") reject(new Error(reason?.message ?? "disconnected"));
    });
  });
  connection.provide({ ...rest, endpoint: config.certificate ? endpoint : `ws://${endpoint}` });
  await ready;
  joined.push(connection);
  if (config.work === "play" || config.work === "encode") play(connection);
}, config.joins ?? 50);
if (config.work === "shared") share();
on("stats", () => say({ stats: engine.stats() }));
on("play", () => {
  const first = joined[0];
  if (first) say({ playedNs: nowNs(), track: play(first) });
});
on("stop", () => joined[0]?.player.stop());
say({ ready: true });

function play(connection: VoiceConnection): number {
  const path = config.work === "encode" ? config.wav : config.ogg;
  const track = connection.player.play({ kind: "file", path });
  // Samples are shorter than some measurements.
  if (config.work === "encode") connection.player.once("trackEnd", () => play(connection));
  return track;
}

/** All calls play one stream, which is encoded once. */
function share(): void {
  const stream = manager.createSharedPlayer();
  const again = (): void => {
    stream.player.play({ kind: "file", path: config.wav });
  };
  stream.player.on("trackEnd", again);
  for (const connection of joined) stream.add(connection);
  again();
}
