/** A real node with the simulator as Discord, a client in a voice channel, and who listens there. */

import type { ExecutionContext } from "ava";
import { type NodeConfigInput, type NodeParts, PlayerNode } from "../../ts/node/index.ts";
import { DiscordSimulator } from "../../ts/simulator/index.ts";
import { decodeRecording } from "../../ts/simulator/recording.ts";
import { BOT, type EventOf, PASSWORD, TestClient, trackId } from "../node/harness.ts";
import { sideOf } from "./measure.ts";

const FRAME = 960;
/** Where the client's calls are. */
export const room = { guildId: "490948346773635102", channelId: "127121515262115840" };
export const guild_id = room.guildId;

/** Starts everything on loopback; it ends with the test. */
export async function liveNode(
  t: ExecutionContext,
  config: NodeConfigInput = {},
  parts: NodeParts = {},
) {
  const simulator = await DiscordSimulator.start();
  const settings = {
    port: 0,
    password: PASSWORD,
    insecure_voice_endpoints: true,
    allow_private_hosts: true,
    ...config,
  };
  const node = await PlayerNode.start(settings, parts);
  t.teardown(async () => {
    await node.close();
    await simulator.close();
  });
  const listener = simulator.listen(room);
  const client = await TestClient.open(node.url);
  return { simulator, node, listener, client, ...actions(client, listener, simulator) };
}

/** What a test does with a node. */
function actions(
  client: TestClient,
  listener: ReturnType<DiscordSimulator["listen"]>,
  simulator: DiscordSimulator,
) {
  /** Sends an op that has to be carried out. */
  const done = async (op: string, d: Record<string, unknown> = {}): Promise<EventOf<"done">> => {
    const answer = await client.send(op, { guild_id, ...d });
    if (answer.type === "done") return answer;
    throw new Error(`${op}: ${answer.code}: ${answer.message}`);
  };
  /** Gives the node its voice channel. */
  const connect = async (): Promise<void> => {
    const { sessionId, token, endpoint } = simulator.admit({ ...room, userId: BOT });
    await done("voice_update", { session_id: sessionId, token, endpoint });
  };
  /** Plays a URL or path. */
  const play = (url: string, d: Record<string, unknown> = {}) =>
    done("play", { track_id: trackId(url), ...d });
  /** Waits until so many more packets were heard, and tells how many there are then. */
  const heard = async (more: number): Promise<number> => {
    const target = listener.packets.length + more;
    await listener.waitFor(() => listener.packets.length >= target, 60_000);
    return listener.packets.length;
  };
  /** One side of the sound from one packet to another, without the gaps of a busy machine. */
  const sound = (from: number, to = listener.packets.length, side: 0 | 1 = 0): Float64Array => {
    const sounding = listener.packets.slice(from, to).filter((packet) => !packet.silence);
    const packed = sounding.map((packet, at) => ({ ...packet, timestamp: at * FRAME }));
    return sideOf(decodeRecording(packed), side);
  };
  return { done, connect, play, heard, sound };
}

/** What {@link liveNode} gives. */
export type LiveNode = Awaited<ReturnType<typeof liveNode>>;
