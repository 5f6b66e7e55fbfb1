/** A track whose sound is handed over from outside, as the one who hands it over sees it. */

import type { EncoderOptions, PcmShape } from "../native/push.ts";
import type { StreamLike } from "../native/stream.ts";

/** How sound is pushed. */
export interface PushOptions {
  /** The shape of samples; without it, Opus packets of 20 ms are pushed, which are sent as they are. */
  pcm?: PcmShape;
  /** For samples. Default: as for every other track. */
  encoder?: EncoderOptions;
  /** Called at once, and whenever little is left: so many frames of 20 ms find room. */
  wanted: (frames: number) => void;
}

/** A pushed track. Once it has ended, nothing is taken any more. */
export class PushedTrack {
  /** Whoever pushes says what fails; the track itself never does. */
  readonly failed = false;
  /** Its number, as in the player's events. */
  readonly track: number;
  /**
   * Called by the player.
   *
   * @internal
   */
  readonly wanted: (frames: number) => void;
  readonly #flow: StreamLike;
  readonly #lives: () => boolean;

  /**
   * Made by `Player.push`.
   *
   * @internal
   */
  constructor(
    track: number,
    flow: StreamLike,
    lives: () => boolean,
    wanted: (frames: number) => void,
  ) {
    this.track = track;
    this.wanted = wanted;
    this.#flow = flow;
    this.#lives = lives;
  }

  /** Hands Opus packets over; returns how many were taken, from the front. */
  pushFrames(frames: readonly Uint8Array[]): number {
    return this.#lives() ? this.#flow.pushFrames(frames) : 0;
  }

  /** Hands samples over; returns how many bytes were taken, from the front. */
  pushBytes(bytes: Uint8Array): number {
    return this.#lives() ? this.#flow.pushBytes(bytes) : 0;
  }

  /** @internal Nothing is held that would have to be let go. */
  close(): void {
    return;
  }

  /** The track ends when what was handed over has been sent. */
  end(): void {
    if (this.#lives()) this.#flow.endPush();
  }
}
