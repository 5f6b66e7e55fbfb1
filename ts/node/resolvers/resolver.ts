/** What a resolver is: it turns searches into tracks, and the pages of tracks into addresses of sound. */

import type { TrackDescription } from "../track-id.ts";

/** Tracks that a query led to. */
export interface Loaded {
  type: "track" | "playlist" | "search" | "empty";
  tracks: readonly TrackDescription[];
  /** Title of the playlist. */
  playlist?: string | undefined;
}

/** Where the sound of a track is. */
export interface Opened {
  /** An http(s) URL of audio, or a file inside an allowed folder. */
  url: string;
  /** Header fields that its server wants to see, such as a `Referer`; at most 32. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Until when the URL is good, in milliseconds since 1970; without it, it is asked for each time. */
  expiresAt?: number | undefined;
}

/**
 * A resolver. Both functions give undefined for what is not their business: then the next resolver is asked, and
 * after the last of them http(s) URLs are taken for what they are.
 *
 * They may throw an `OpError` for the client to see. Any other failure becomes `resolver_failed`, and its message
 * goes nowhere. The signal is aborted when the time is over or nobody wants the outcome any more; a resolver that
 * does not heed it is left behind, and keeps its place until it ends.
 */
export interface Resolver {
  /** For errors, logs and metrics. */
  readonly name: string;
  /** How many calls may run at the same time. Default 16. */
  readonly concurrency?: number;
  /** How many milliseconds a call may take. Default: `resolver_timeout_ms` of the configuration. */
  readonly timeoutMs?: number;
  /** Finds tracks. */
  load?(query: string, signal: AbortSignal): Promise<Loaded | undefined>;
  /** Finds the sound of a track. */
  open?(track: TrackDescription, signal: AbortSignal): Promise<Opened | undefined>;
}
