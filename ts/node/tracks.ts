/** From what a client names to what can be played: track ids and queries, through resolvers or directly. */

import type { SourceSpec } from "../native/types.ts";
import { MAX_STRING, OpError } from "./ops/fields.ts";
import type { LoadedTrack, LoadResult } from "./ops/protocol.ts";
import type { Loaded } from "./resolvers/resolver.ts";
import type { Resolvers } from "./resolvers/resolvers.ts";
import { isLocal, type Sources } from "./sources.ts";
import { decodeTrackId, encodeTrackId, type TrackDescription } from "./track-id.ts";

/** Tracks that one load_tracks may give. */
export const MAX_LOADED_TRACKS = 1000;

/** Finds tracks and opens them. */
export class Tracks {
  readonly #sources: Sources;
  readonly #resolvers: Resolvers;

  constructor(sources: Sources, resolvers: Resolvers) {
    this.#sources = sources;
    this.#resolvers = resolvers;
  }

  /**
   * The source of a track.
   *
   * @throws OpError `unknown_track`, `track_not_allowed`, those of the resolvers, or the reason of `signal`.
   */
  async open(trackId: string, signal: AbortSignal): Promise<SourceSpec> {
    const track = decodeTrackId(trackId);
    if (isLocal(track.url)) return await this.#sources.resolve(track.url);
    const found = await this.#resolvers.open(track, signal);
    const source = await this.#sources.resolve(found?.url ?? track.url);
    const headers = found?.headers;
    return source.kind === "http" && headers ? { ...source, headers } : source;
  }

  /** Says that a track could not be played from where it was found. */
  failed(trackId: string): void {
    this.#resolvers.forget(decodeTrackId(trackId).url);
  }

  /**
   * What a query leads to.
   *
   * @throws OpError as `open` does.
   */
  async load(query: string, signal: AbortSignal): Promise<LoadResult> {
    const found = isLocal(query) ? undefined : await this.#resolvers.load(query, signal);
    if (found) return toResult(found);
    await this.#sources.resolve(query).catch(notFound);
    const track = { ...NOTHING_KNOWN, title: nameOf(query), url: query };
    return toResult({ type: "track", tracks: [track] });
  }
}

const NOTHING_KNOWN = {
  identifier: null,
  length: null,
  author: null,
  author_id: null,
  thumbnail: null,
  is_live: null,
};

/** The field to blame is another here. */
function notFound(error: unknown): never {
  if (!(error instanceof OpError)) throw error;
  throw new OpError(error.code, error.message, "d.query");
}

function toResult({ type, tracks, playlist }: Loaded): LoadResult {
  const loaded = tracks.slice(0, MAX_LOADED_TRACKS).map(toTrack).filter(isShort);
  return {
    load_type: loaded.length === 0 ? "empty" : type,
    tracks: loaded,
    playlist: playlist ?? null,
  };
}

function toTrack(info: TrackDescription): LoadedTrack {
  return { track_id: encodeTrackId(info), info };
}

/** A longer id could not be played, because no message takes it. */
function isShort({ track_id }: LoadedTrack): boolean {
  return track_id.length <= MAX_STRING;
}

/** What the last part of a path or URL says, without its extension. */
function nameOf(query: string): string | null {
  const path = URL.canParse(query) ? new URL(query).pathname : query;
  const last = path.split("/").pop() ?? "";
  const name = decode(last).replace(/\.[^.]*$/, "");
  return name === "" ? null : name;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
