/** How late packets came against their sender's own best 20 ms grid. */

import type { HeardPacket } from "./recording.ts";

/** Milliseconds. */
export interface Lateness {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** So many recent packets are looked at. */
const WINDOW = 5000;
const SAMPLES_PER_MS = 48;
const NS_PER_MS = 1e6;

/** Percentiles over the recent packets. */
export function lateness(packets: readonly HeardPacket[]): Lateness {
  const bySender = new Map<number, HeardPacket[]>();
  for (const packet of packets.slice(-WINDOW)) {
    const group = bySender.get(packet.ssrc);
    if (group) group.push(packet);
    else bySender.set(packet.ssrc, [packet]);
  }
  const late = [...bySender.values()].flatMap(againstBestGrid).sort((a, b) => a - b);
  const at = (share: number): number => late[Math.floor((late.length - 1) * share)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: late.at(-1) ?? 0 };
}

/** The best grid is the earliest that no packet comes before. */
function againstBestGrid(packets: readonly HeardPacket[]): number[] {
  const [first] = packets;
  if (!first) return [];
  const offsets = packets.map((packet) => {
    const sinceFirst = Number(packet.arrivedNs - first.arrivedNs) / NS_PER_MS;
    return sinceFirst - ((packet.timestamp - first.timestamp) | 0) / SAMPLES_PER_MS;
  });
  const best = offsets.reduce((least, offset) => Math.min(least, offset), Number.POSITIVE_INFINITY);
  return offsets.map((offset) => offset - best);
}
