/** What receives the frames of others and hands them to a receiver of the user's; the seam for implementations. */

import type { OpusFrameReceiver } from "./frames.ts";
import type { UdpLike } from "./udp-connection.ts";

/** Feeds one {@link OpusFrameReceiver}. */
export interface AudioReceiver {
  /** Begins to receive. */
  open(): void;
  /** Forgets a user who is gone. */
  cleanupUser(userId: string): void;
  /** Ends, and tells the receiver. Idempotent. */
  close(): void;
}

/** What an audio receiver may use of its connection. */
export interface ReceiverParts {
  receiver: OpusFrameReceiver;
  udp: UdpLike;
  /** Whose stream an SSRC is; undefined until the server has said. */
  userIdBySsrc: (ssrc: number) => string | undefined;
}

/** Makes the receiver of a connection. */
export type CreateReceiver = (parts: ReceiverParts) => AudioReceiver;
