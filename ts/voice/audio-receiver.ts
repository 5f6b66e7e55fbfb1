/** What receives the frames of others and hands them to a receiver of the user's; the seam for implementations. */

import type { CadenzaError } from "../support/errors.ts";
import type { OpusFrameReceiver, UserFilter } from "./frames.ts";
import type { VoiceReceiver } from "./receive/voice-receiver.ts";
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
  /** Whose packets; asked when a user first speaks, before any work is spent on them. Default: everybody's. */
  filter?: UserFilter;
  /** The receiving side of the connection; it hears what its native UDP connection receives. */
  incoming: VoiceReceiver;
  /** Told what the receiver threw. */
  failed?: (error: CadenzaError) => void;
  udp: UdpLike;
  /** Whose stream an SSRC is; undefined until the server has said. */
  userIdBySsrc: (ssrc: number) => string | undefined;
}

/** Makes the receiver of a connection. */
export type CreateReceiver = (parts: ReceiverParts) => AudioReceiver;
