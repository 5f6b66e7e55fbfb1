/** The lateness of packets as a Prometheus histogram: the engine counts it, so that no client library can. */

import type { PacerStats } from "../native/types.ts";

const NAME = "cadenza_packet_lateness_seconds";
const US_PER_SECOND = 1e6;

/** The histogram over all pacers. */
export function latenessHistogram(pacers: readonly PacerStats[]): string {
  const summaries = pacers.map(({ lateness }) => lateness);
  const within = new Map<number, number>();
  for (const { boundUs, count } of summaries.flatMap((summary) => summary.within)) {
    within.set(boundUs, (within.get(boundUs) ?? 0) + count);
  }
  const buckets = [...within].map(([boundUs, count]) => bucket(boundUs / US_PER_SECOND, count));
  const count = summaries.reduce((sum, summary) => sum + summary.count, 0);
  const sumUs = summaries.reduce((sum, summary) => sum + summary.sumUs, 0);
  const lines = [
    `# HELP ${NAME} How long after they were due packets left.`,
    `# TYPE ${NAME} histogram`,
    ...buckets,
    bucket("+Inf", count),
    `${NAME}_sum ${sumUs / US_PER_SECOND}`,
    `${NAME}_count ${count}`,
  ];
  return `${lines.join("\n")}\n`;
}

function bucket(bound: number | string, count: number): string {
  return `${NAME}_bucket{le="${bound}"} ${count}`;
}
