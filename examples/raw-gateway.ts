/**
 * A bot without a bot library: a main gateway client of fifty lines that joins a channel and plays a file.
 *
 * Shows the two things that the library wants of any gateway client: a function that sends op 4, and every dispatch. Leaves
 * out sharding, resuming and rate limits of the main gateway. Run it as
 * `DISCORD_TOKEN=… tsx examples/raw-gateway.ts <user id> <guild id> <channel id> <file>`.
 */

import { VoiceManager } from "cadenza";
import { WebSocket } from "ws";

const INTENTS = (1 << 0) | (1 << 7);
const [userId = "", guildId = "", channelId = "", path = ""] = process.argv.slice(2);

const socket = new WebSocket("wss://gateway.discord.gg/?v=10&encoding=json");
let sequence: number | null = null;

const manager = new VoiceManager({
  userId,
  sendPayload: (_guildId, payload) => {
    const isOpen = socket.readyState === WebSocket.OPEN;
    if (isOpen) socket.send(JSON.stringify(payload));
    return isOpen;
  },
});

socket.on("message", (data) => {
  const packet = JSON.parse(data.toString());
  sequence = packet.s ?? sequence;
  if (packet.op === 10) greet(packet.d.heartbeat_interval);
  if (packet.op !== 0) return;
  manager.handleDispatch(packet);
  if (packet.t === "READY") void play();
});

function greet(intervalMs: number): void {
  const properties = { os: process.platform, browser: "cadenza", device: "cadenza" };
  const identify = { token: process.env.DISCORD_TOKEN, intents: INTENTS, properties };
  socket.send(JSON.stringify({ op: 2, d: identify }));
  setInterval(() => socket.send(JSON.stringify({ op: 1, d: sequence })), intervalMs);
}

async function play(): Promise<void> {
  const connection = manager.connection(guildId);
  await connection.join(channelId);
  const track = connection.player.play({ kind: "file", path });
  connection.player.on("trackEnd", (ended, reason) => {
    if (ended !== track) return;
    process.stdout.write(`${reason}\n`);
    void manager.close().then(() => socket.close());
  });
}
