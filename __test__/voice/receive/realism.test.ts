/** Everything that a voice server does to the packets of others on their way, one thing at a time: the speaker is heard. */

import test from "ava";
import {
  type DiscordSimulator,
  type MemberOptions,
  type SpeechOptions,
  toneFrames,
} from "../../../ts/simulator/index.ts";
import type { ReceivedStatistics } from "../../../ts/voice/receive/received-statistics.ts";
import { type BenchOptions, openBench } from "../bench.ts";

const FRAMES = toneFrames({ seconds: 1 });

type Faults = DiscordSimulator["faults"];

interface Case {
  name: string;
  /** How the server dresses packets. */
  forwarded?: Partial<Faults["forwarded"]>;
  /** What the way does to them. */
  link?: Partial<Faults["link"]>;
  member?: Partial<MemberOptions>;
  speech?: SpeechOptions;
  bench?: BenchOptions;
  /** How many frames are heard; all where nothing is said. */
  heard?: "all" | "most" | "none";
  /** What has to be counted. */
  counted?: (received: ReceivedStatistics) => boolean;
}

const little = { simulator: { modes: ["aead_aes256_gcm_rtpsize"] } };

const CASES: Case[] = [
  ...(["none", "empty", "one_word", "two_words", "unknown_profile"] as const).map((extension) => ({
    name: `header extension: ${extension}`,
    forwarded: { extension },
  })),
  ...[1, 3, 15].map((csrcs) => ({
    name: `${csrcs} contributing sources`,
    forwarded: { csrcs },
  })),
  {
    name: "padding on every packet",
    forwarded: { paddingShare: 1 },
  },
  {
    name: "padding whose count cannot be right",
    forwarded: { wrongPaddingShare: 0.3 },
    heard: "most",
    counted: ({ decryptFailures }) => (decryptFailures.transport.padding ?? 0) > 0,
  },
  { name: "the marker bit", forwarded: { markerShare: 1 } },
  {
    name: "a packet of video beside each of audio",
    forwarded: { foreignShare: 1 },
    counted: ({ dropped }) => dropped.foreignPayload > 0,
  },
  {
    name: "a counter in little-endian order that wraps",
    forwarded: { counter: "little_endian", firstCounter: 2 ** 32 - 20 },
    bench: little,
  },
  {
    name: "a counter in big-endian order that wraps",
    forwarded: { firstCounter: 2 ** 32 - 20 },
  },
  {
    name: "RTCP beside the audio",
    forwarded: { rtcpIntervalMs: 20 },
    counted: ({ remote }) => remote !== undefined,
  },
  { name: "sequence numbers that wrap", member: { firstSequence: 65_520 } },
  { name: "timestamps that wrap", member: { firstTimestamp: 2 ** 32 - 960 * 20 } },
  { name: "packets behind their successors", link: { swapShare: 0.2 } },
  {
    name: "packets that come twice",
    link: { duplicateShare: 0.3 },
    counted: ({ duplicate }) => duplicate > 0,
  },
  {
    name: "bursts of loss",
    link: { lossShare: 0.03, lossBurst: 3 },
    heard: "most",
    counted: ({ lost, lossShare }) => lost > 0 && lossShare > 0,
  },
  { name: "op 5 behind the first packet", speech: { announce: "late" } },
  {
    name: "no op 5 at all: nobody can say whose it is",
    speech: { announce: "never" },
    heard: "none",
    counted: ({ dropped }) => dropped.unknownSsrc > 0,
  },
];

for (const { name, heard = "all", ...rest } of CASES) {
  test(name, async (t) => {
    await using bench = await openBench(rest.bench);
    const { simulator, guildId, channelId, connection } = bench;
    Object.assign(simulator.faults.forwarded, rest.forwarded);
    Object.assign(simulator.faults.link, rest.link);
    const member = simulator.member({ guildId, channelId, ...rest.member });
    await connection.join(channelId, { selfDeaf: false });
    const packets: string[] = [];
    const done = collect(connection.receiver.subscribe({ users: member.userId }), packets);
    await member.speak(FRAMES, { intervalMs: 5, ...rest.speech });
    const isOver = (): boolean => {
      const { received } = connection.statistics();
      const all = heard === "all" ? packets.length >= FRAMES.length : received.packets >= 30;
      return all && (rest.counted?.(received) ?? true);
    };
    const deadline = performance.now() + 30_000;
    while (!isOver() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { received } = connection.statistics();
    t.true(isOver(), JSON.stringify(received));
    await connection.destroy();
    await done;
    const sent = FRAMES.map(hex);
    if (heard === "all") t.deepEqual(packets, sent);
    else if (heard === "none") t.deepEqual(packets, []);
    else t.true(isPartOf(packets, sent), "in order and once");
    t.is(received.users.length, heard === "none" ? 0 : 1);
  });
}

/** Keeps what sounds, until the connection ends. */
async function collect(
  from: AsyncIterable<{ opus: Uint8Array; silent: boolean }>,
  into: string[],
): Promise<void> {
  for await (const { opus, silent } of from) if (!silent) into.push(hex(opus));
}

/** Whether these are some of those, in the same order. */
function isPartOf(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const one of some) {
    at = all.indexOf(one, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
