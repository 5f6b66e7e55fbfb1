/** How late packets came against their sender's own best 20 ms grid. */

import type { HeardPacket } from "./listener.ts";

/** Milliseconds. */
export interface Lateness {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** So many recent packets of each sender are looked at. */
const WINDOW = 5000;

/** Percentiles over the recent packets. */
export function lateness(packets: readonly HeardPacket[]): Lateness {
  const recent = packets.slice(-WINDOW);
  const bySender = new Map<number, HeardPacket[]>();
  for (const packet of recent) {
    const group = bySender.get(packet.ssrc);
    if (group) group.push(packet);
    else bySender.set(packet.ssrc, [packet]);
  }
  const late = [...bySender.values()].flatMap(againstBestGrid).sort((a, b) => a - b);
  const at = (share: number): number => late[Math.floor((late.length - 1) * share)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: late.at(-1) ?? 0 };
}

/** The best grid is the earliest one: no packet leaves before it is due. */
function againstBestGrid(packets: readonly HeardPacket[]): number[] {
  const first = packets[0]?.timestamp ?? 0;
  const offsets = packets.map(
    (packet) => packet.arrivedMs - ((packet.timestamp - first) >>> 0) / 48,
  );
  const best = offsets.reduce((least, offset) => Math.min(least, offset), Number.POSITIVE_INFINITY);
  return offsets.map((offset) => offset - best);
}
