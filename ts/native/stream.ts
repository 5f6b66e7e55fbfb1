/** Streams: sound that is made once and played by many calls. */

import type { FilterSettings } from "./filters.ts";
import type { PushingFlow } from "./push.ts";
import type { FlowStats, PlayRequest } from "./types.ts";

/** Something that plays: a stream, which `createStream` of the engine returns, or a call's own flow. */
export interface StreamLike extends PushingFlow {
  play(request: PlayRequest): void;
  stop(): void;
  setPaused(paused: boolean): void;
  seek(positionMs: number): void;
  /** Replaces all filters of what plays and of what comes; heard within 60 ms, by all who play it. */
  setFilters(filters: FilterSettings | undefined): void;
  /** Sets the volume, 0 to 10, where 1 changes nothing; heard within 60 ms. */
  setVolume(volume: number): void;
  stats(): FlowStats | undefined;
  close(): void;
}

/** What a call can do with a stream. */
export interface SubscribingFlow {
  /**
   * Plays what a stream plays, from its live position on, about 40 ms behind it. It takes the place of
   * what the call plays and lasts until the call plays something else, stops, or gives `undefined`;
   * then five silence frames follow. Pausing the call pauses nobody else, and afterwards it goes on at
   * the live position. When the stream is closed its calls fall silent.
   *
   * @throws CadenzaError `wrong_kind` when it is not a stream's; `unknown_flow` when it is closed.
   */
  subscribe(stream: StreamLike | undefined): void;
}
