/** Everything that is counted about one call, put together at the moment of asking. */

import type { GatewayLike, GatewayStatus } from "../gateway/index.ts";
import type { FlowLike } from "../native/types.ts";
import { type ReceivedStatistics, receivedStatistics } from "./receive/received-statistics.ts";

/** One call, read in one go. Counters run from the making of the connection; they outlive sessions. */
export interface CallStatistics {
  gateway: {
    status: GatewayStatus;
    /** Round trip of the last heartbeat, in milliseconds; undefined before the first answer. */
    lastMs: number | undefined;
    /** Average round trip since the connection was made, in milliseconds. */
    averageMs: number | undefined;
    /** Frames that could not be understood and were ignored. */
    badFrames: number;
  };
  udp: {
    /** Round trip of the last keepalive that was answered, in milliseconds; undefined where none was. */
    rttMs: number | undefined;
    /** Datagrams that came from the voice server, of any kind. */
    datagramsReceived: number;
    /** Packets that the system refused to send. */
    sendErrors: number;
  };
  sent: {
    /** RTP packets, silence included. */
    packets: number;
    /** Bytes of their datagrams. */
    bytes: number;
    /** Packets handed to the socket more than 20 ms after they were due. */
    late: number;
    /** Frames given up because they were too late to be of use. */
    skipped: number;
    /** Silence frames among the packets. */
    silence: number;
    /** Frames that wait in the queue now. */
    queueFrames: number;
  };
  /** What came from others. */
  received: ReceivedStatistics;
}

/** Reads the counters; all zero once the flow is closed. */
export function callStatistics(gateway: GatewayLike, flow: FlowLike): CallStatistics {
  const stats = flow.stats();
  const rttUs = stats?.udpRttUs;
  return {
    gateway: {
      status: gateway.status,
      lastMs: gateway.latency?.lastMs,
      averageMs: gateway.latency?.averageMs,
      badFrames: gateway.badFrames,
    },
    udp: {
      rttMs: rttUs === undefined ? undefined : rttUs / 1000,
      datagramsReceived: stats?.datagramsReceived ?? 0,
      sendErrors: stats?.sendErrors ?? 0,
    },
    sent: {
      packets: stats?.packetsSent ?? 0,
      bytes: stats?.bytesSent ?? 0,
      late: stats?.packetsLate ?? 0,
      skipped: stats?.framesSkipped ?? 0,
      silence: stats?.silenceSent ?? 0,
      queueFrames: stats?.queueFrames ?? 0,
    },
    received: receivedStatistics(flow.receiver),
  };
}
