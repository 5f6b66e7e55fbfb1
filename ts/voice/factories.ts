/** What a user can put in the place of a connection's parts, and the function that only a user can give. */

import type { CreateGateway } from "../gateway/index.ts";
import type { CreateReceiver } from "./audio-receiver.ts";
import type { CreateSender } from "./audio-sender.ts";
import type { CreateUdp } from "./udp-connection.ts";

/** Makers of a connection's parts, each of which can be replaced alone. */
export interface Factories {
  /** Default: a `VoiceGateway`. */
  gateway?: CreateGateway;
  /** Default: a `UdpConnection` over the engine. */
  udp?: CreateUdp;
  /** Default: native where the UDP connection is native, from a timer elsewhere. */
  sender?: CreateSender;
  /** Default: the engine's receiver. */
  receiver?: CreateReceiver;
}

/** How the bot shows itself in its channel. */
export interface VoiceFlags {
  selfMute: boolean;
  selfDeaf: boolean;
}

/** Sends the main gateway's op 4 for a guild; null leaves. False when it cannot. */
export type UpdateVoiceState = (channelId: string | null, flags: VoiceFlags) => boolean;
