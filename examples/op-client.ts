/**
 * Drives a player node from TypeScript with the WebSocket library `ws`, and the protocol's types from the package: plays a track and
 * goes on when the socket is lost, without missing an event. What it leaves out: a main gateway. The credentials of a voice channel come as
 * JSON on standard input, in the form that `cadenza simulate` prints them:
 *
 *     cadenza simulate > room.json &
 *     CADENZA_PASSWORD=correct-horse node op-client.ts ws://127.0.0.1:2333/v1/ws /srv/music/song.ogg < room.json
 */

import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { Command, EventMessage, NodeEvent } from "cadenza/protocol";
import { WebSocket } from "ws";

const [url = "", track = ""] = process.argv.slice(2);
const { guildId, channelId, userId, sessionId, token, endpoint } = JSON.parse(
  await text(process.stdin),
).credentials as Record<string, string>;
const password = process.env.CADENZA_PASSWORD ?? "";

/** What a new socket has to say about the one that was lost. */
let session = "";
let lastEvent = 0;
let socket = await connect();
const waiting = new Map<unknown, (event: NodeEvent) => void>();

async function connect(): Promise<WebSocket> {
  const resume = session === "" ? {} : { "Session-Id": session, "Last-Event": String(lastEvent) };
  const headers = { Authorization: password, "User-Id": userId ?? "", ...resume };
  const opened = new WebSocket(url, { headers });
  opened.on("message", (data) => receive(JSON.parse(String(data)) as EventMessage));
  await once(opened, "open");
  return opened;
}

function receive({ s, d }: EventMessage): void {
  if (s !== undefined) lastEvent = s;
  if (d.type === "ready") session = d.session_id;
  process.stdout.write(`${JSON.stringify(d)}\n`);
  const key = d.type === "done" || d.type === "error" ? d.id : d.type;
  waiting.get(key)?.(d);
  waiting.delete(key);
}

/** The next event of a type, or the answer with an id. */
function next(key: unknown): Promise<NodeEvent> {
  return new Promise((resolve) => waiting.set(key, resolve));
}

/** Sends an op and waits for its answer. */
async function ask(command: Command): Promise<NodeEvent> {
  const answer = next(command.op);
  socket.send(JSON.stringify({ ...command, id: command.op }));
  const event = await answer;
  if (event.type === "error") throw new Error(`${command.op}: ${event.message}`);
  return event;
}

const guild_id = String(guildId);
await ask({
  op: "voice_update",
  d: {
    guild_id,
    channel_id: String(channelId),
    session_id: String(sessionId),
    token: String(token),
    endpoint: String(endpoint),
  },
});
const found = await ask({ op: "load_tracks", d: { query: track } });
const result = found.type === "done" ? found.result : undefined;
const [first] = result !== undefined && "tracks" in result ? result.tracks : [];
const started = next("track_start");
await ask({ op: "play", d: { guild_id, track_id: first?.track_id ?? "" } });
await started;

// As if the network had failed: the track plays on, and the answer to the next op arrives on the new socket.
socket.terminate();
socket = await connect();
const ended = next("track_end");
await ask({ op: "stop", d: { guild_id } });
await ended;
await ask({ op: "destroy", d: { guild_id } });
socket.close();
