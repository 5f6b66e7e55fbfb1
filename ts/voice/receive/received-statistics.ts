/** What a call's receiving side counted, as a part of its statistics. */

import type { FlowReceiverLike, ReceiveStats, UserReceiveStats } from "../../native/index.ts";

/** What came from others. Media is counted while somebody listens: until then the system drops it unread. */
export interface ReceivedStatistics {
  /** RTP packets of Opus. */
  packets: number;
  /** Bytes of Opus in those that were opened. */
  bytes: number;
  /** Packets that never came, or too late. */
  lost: number;
  /** Packets that came after their place was given up. */
  late: number;
  /** Packets that came twice. */
  duplicate: number;
  /** Share of packets lost, 0 to 1; 0 where nothing was heard. */
  lossShare: number;
  /** Interarrival jitter (RFC 3550) of the user with the most, in milliseconds. */
  jitterMs: number;
  /** Milliseconds that were extrapolated from what came before them. */
  concealedMs: number;
  /** Frames that were reconstructed from the packet behind them (in-band FEC). */
  fecRecovered: number;
  /**
   * Packets that could not be decrypted: by the transport (`authentication`, `too_short`, `malformed_header`, `extension`,
   * `padding`) and end to end (`no_key`, `malformed`, `authentication`, `replay`, `unencrypted`).
   */
  decryptFailures: { transport: Record<string, number>; endToEnd: Record<string, number> };
  /** Packets and datagrams that were dropped, by why. */
  dropped: {
    /** Of users whom nobody wants to hear; not even decrypted. */
    filtered: number;
    /** Of streams that belong to nobody known. */
    unknownSsrc: number;
    /** Of other payload types than Opus. */
    foreignPayload: number;
    /** Neither media, control nor an answer. */
    garbage: number;
    /** Nothing in them but padding and extensions. */
    empty: number;
    /** No Opus packets. */
    malformedOpus: number;
    /** Decoding or recording was too far behind. */
    queueFull: number;
    /** Batches that JavaScript did not take in time. */
    batches: number;
  };
  /** How our own packets arrive, as the voice server reports it by RTCP; undefined before the first report. */
  remote: { loss: number; jitterMs: number } | undefined;
  /** By user; several SSRCs of one user are added up. */
  users: readonly UserReceiveStats[];
}

/** Reads the counters; all zero where there is no receiving side, or none any more. */
export function receivedStatistics(receiver: FlowReceiverLike | undefined): ReceivedStatistics {
  const stats = receiver?.stats();
  const users = stats?.users ?? [];
  const sum = (field: "bytes" | "lost" | "late" | "duplicate" | "concealedMs" | "fecRecovered") =>
    users.reduce((total, user) => total + user[field], 0);
  const lost = sum("lost");
  const expected = lost + users.reduce((total, { packets }) => total + packets, 0);
  return {
    packets: stats?.packets ?? 0,
    bytes: sum("bytes"),
    lost,
    late: sum("late"),
    duplicate: sum("duplicate"),
    lossShare: expected === 0 ? 0 : lost / expected,
    jitterMs: Math.max(0, ...users.map(({ jitterMs }) => jitterMs)),
    concealedMs: sum("concealedMs"),
    fecRecovered: sum("fecRecovered"),
    decryptFailures: {
      transport: stats?.transportFailures ?? {},
      endToEnd: stats?.mediaFailures ?? {},
    },
    dropped: dropped(stats),
    remote: stats?.remote,
    users,
  };
}

function dropped(stats: ReceiveStats | undefined): ReceivedStatistics["dropped"] {
  return {
    filtered: stats?.filtered ?? 0,
    unknownSsrc: stats?.unknownSsrc ?? 0,
    foreignPayload: stats?.foreignPayload ?? 0,
    garbage: stats?.garbage ?? 0,
    empty: stats?.empty ?? 0,
    malformedOpus: stats?.malformedOpus ?? 0,
    queueFull: stats?.queueDropped ?? 0,
    batches: stats?.batchesDropped ?? 0,
  };
}
