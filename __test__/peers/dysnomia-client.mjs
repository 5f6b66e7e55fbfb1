// dysnomia with its own player: gateway version 8, AES-GCM. Joins and plays Opus packets.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const { VoiceConnection } = createRequire(import.meta.url)("@projectdysnomia/dysnomia");
const { credentials, packetFile } = JSON.parse(process.argv[2]);
const { guildId, channelId, userId, sessionId, token, endpoint } = credentials;
const packets = JSON.parse(readFileSync(packetFile, "utf8")).map((hex) => Buffer.from(hex, "hex"));

const connection = new VoiceConnection(guildId, { opusOnly: true, daveEncryption: false });
const once = (event) => new Promise((resolve) => connection.once(event, resolve));
connection.on("error", (error) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
const ready = once("ready");
connection.connect({
  channel_id: channelId,
  user_id: userId,
  session_id: sessionId,
  token,
  endpoint,
});
await ready;
connection.play(Readable.from(packets), { format: "opusPackets" });
await once("end");
await new Promise((resolve) => setTimeout(resolve, 300));
connection.disconnect();
process.exit(0);
