/** A resolver that asks yt-dlp, where the operator has installed it and switched it on. */

import type { Logger } from "../../support/logger.ts";
import { OpError } from "../ops/fields.ts";
import type { TrackDescription } from "../track-id.ts";
import { amountOf, headersOf, isOutside, type Outside, textOf, webUrlOf } from "./parse.ts";
import type { Loaded, Opened, Resolver } from "./resolver.ts";
import { runProgram } from "./run-program.ts";

/** Bytes that yt-dlp may say: a flat playlist of 1000 has about 2 MiB. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Tracks of a playlist that are listed. */
const MAX_ENTRIES = 1000;
/** Searches by a name that yt-dlp knows: `ytsearch5:words`. */
const SEARCH = /^[a-z]{2,12}search\d{0,2}:/;
/** Opus first, because it is passed through; whole files before segments. */
const FORMAT = "bestaudio[protocol=https][acodec=opus]/bestaudio[protocol=https]/bestaudio/best";
/** Files that are played as they are: yt-dlp has nothing to say about them. */
const PLAIN_FILE =
  /\.(ogg|oga|opus|webm|mka|mkv|mp3|m4a|mp4|aac|flac|wav|aif|aiff|aifc|m3u|m3u8|pls)$/i;
/** Longest part of yt-dlp's own error that is logged. */
const MAX_LOGGED = 300;

/** How yt-dlp is run. */
export interface YtDlpOptions {
  /** The program: a path, or a name that is looked up in PATH. */
  program: string;
  /** Processes at the same time. */
  concurrency: number;
  /** Milliseconds for each of them, its waiting included. */
  timeoutMs: number;
  logger: Logger;
}

/** Asks yt-dlp. Sites that it has no extractor for are left alone: its generic one would fetch any address. */
export class YtDlpResolver implements Resolver {
  readonly name = "yt-dlp";
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly #options: YtDlpOptions;

  constructor(options: YtDlpOptions) {
    this.#options = options;
    this.concurrency = options.concurrency;
    this.timeoutMs = options.timeoutMs;
  }

  async load(query: string, signal: AbortSignal): Promise<Loaded | undefined> {
    const isSearch = SEARCH.test(query);
    if (!isSearch && !isPage(query)) return undefined;
    const info = await this.#ask(
      ["--flat-playlist", "--playlist-end", String(MAX_ENTRIES), "--", query],
      signal,
    );
    return info && toLoaded(info, isSearch);
  }

  async open({ url }: TrackDescription, signal: AbortSignal): Promise<Opened | undefined> {
    if (!isPage(url)) return undefined;
    const info = await this.#ask(["--no-playlist", "--format", FORMAT, "--", url], signal);
    if (!info) return undefined;
    const found = webUrlOf(info.url);
    if (found === undefined) throw new Error("there is no url");
    return { url: found, headers: headersOf(info.http_headers), expiresAt: expiryOf(found) };
  }

  /** What yt-dlp says; undefined when it does not know the site. */
  async #ask(args: readonly string[], signal: AbortSignal): Promise<Outside | undefined> {
    const { program, logger } = this.#options;
    const common = ["--ignore-config", "--no-warnings", "--no-progress", "--no-cache-dir"];
    const all = ["--use-extractors", "default,-generic", "--dump-single-json", ...args];
    const result = await runProgram(program, [...common, ...all], MAX_OUTPUT_BYTES, signal);
    if (result.code === 0) {
      const value: unknown = JSON.parse(result.output);
      if (isOutside(value)) return value;
      throw new Error("it is no object");
    }
    const error = /^ERROR: (.*)$/m.exec(result.errors)?.[1] ?? "";
    if (/Unsupported URL|No suitable extractor/i.test(error)) return undefined;
    logger.warn({ code: result.code, error: error.slice(0, MAX_LOGGED) }, "yt-dlp failed");
    if (error === "") throw new Error("it failed without a word");
    throw new OpError("track_unavailable", "The site does not give this track out.");
  }
}

/** Whether a text is the URL of something that may be a page. */
function isPage(text: string): boolean {
  const url = webUrlOf(text);
  return url !== undefined && !PLAIN_FILE.test(new URL(url).pathname);
}

function toLoaded(info: Outside, isSearch: boolean): Loaded {
  if (!Array.isArray(info.entries)) {
    const track = toTrack(info);
    return track ? { type: "track", tracks: [track] } : { type: "empty", tracks: [] };
  }
  const tracks = info.entries.flatMap((entry) => (isOutside(entry) ? (toTrack(entry) ?? []) : []));
  if (isSearch) return { type: "search", tracks };
  return { type: "playlist", tracks, playlist: textOf(info.title) ?? undefined };
}

function toTrack(info: Outside): TrackDescription | undefined {
  const url = webUrlOf(info.webpage_url) ?? webUrlOf(info.original_url) ?? webUrlOf(info.url);
  if (url === undefined) return undefined;
  const seconds = amountOf(info.duration);
  return {
    title: textOf(info.title),
    identifier: textOf(info.id),
    url,
    length: seconds === null ? null : Math.round(seconds * 1000),
    author: textOf(info.channel) ?? textOf(info.uploader),
    author_id: textOf(info.channel_id) ?? textOf(info.uploader_id),
    thumbnail: textOf(info.thumbnail),
    is_live: typeof info.is_live === "boolean" ? info.is_live : null,
  };
}

/** Addresses of media say until when they are good, in seconds since 1970; without that, they are not kept. */
function expiryOf(url: string): number | undefined {
  const { searchParams } = new URL(url);
  const found = ["expire", "expires", "Expires", "exp"].map((name) => searchParams.get(name));
  const seconds = found.find((value) => value !== null && /^\d{10}$/.test(value));
  return seconds === undefined || seconds === null ? undefined : Number(seconds) * 1000;
}
