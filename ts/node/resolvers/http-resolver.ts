/** A resolver that is an HTTP service of the operator's: JSON there, JSON back. docs/guide/node.md describes it. */

import { OpError } from "../ops/fields.ts";
import type { TrackDescription } from "../track-id.ts";
import { amountOf, headersOf, isOutside, type Outside, textOf, trackOf } from "./parse.ts";
import type { Loaded, Opened, Resolver } from "./resolver.ts";

/** Bytes of an answer that are read: 1000 tracks with long descriptions. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Longest message that is told to a client. */
const MAX_MESSAGE = 300;

/** How the service is reached. */
export interface HttpResolverOptions {
  /** Where questions are posted to. */
  url: string;
  /** Sent as `Authorization`. Default: none. */
  authorization?: string | undefined;
  /** Questions at the same time. Default 16. */
  concurrency?: number;
}

/** Asks a service. */
export class HttpResolver implements Resolver {
  readonly name = "http";
  readonly concurrency: number;
  readonly #options: HttpResolverOptions;

  constructor(options: HttpResolverOptions) {
    this.#options = options;
    this.concurrency = options.concurrency ?? 16;
  }

  async load(query: string, signal: AbortSignal): Promise<Loaded | undefined> {
    const answer = await this.#ask({ type: "load", query }, signal);
    if (!answer) return undefined;
    const { load_type: type, tracks } = answer;
    if (type !== "track" && type !== "playlist" && type !== "search" && type !== "empty") {
      throw new Error("load_type is wrong");
    }
    return {
      type,
      tracks: Array.isArray(tracks) ? tracks.flatMap((track) => trackOf(track) ?? []) : [],
      playlist: textOf(answer.playlist) ?? undefined,
    };
  }

  async open(track: TrackDescription, signal: AbortSignal): Promise<Opened | undefined> {
    const answer = await this.#ask({ type: "open", track }, signal);
    if (!answer) return undefined;
    if (typeof answer.url !== "string") throw new Error("url is missing");
    const headers = headersOf(answer.headers);
    return { url: answer.url, headers, expiresAt: amountOf(answer.expires_at) ?? undefined };
  }

  /** Undefined when the question is not the service's business. */
  async #ask(question: object, signal: AbortSignal): Promise<Outside | undefined> {
    const { url, authorization } = this.#options;
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: JSON.stringify(question),
      redirect: "error",
      signal,
    });
    if (response.status === 204) return undefined;
    const answer = await readJson(response);
    if (response.ok) return answer;
    throw refusalOf(response.status, answer);
  }
}

/** Only what the service says on purpose is told: a 4xx with a message. Anything else is a failure of its own. */
function refusalOf(status: number, answer: Outside): Error {
  const message = textOf(answer.message);
  if (status < 400 || status >= 500 || message === null) return new Error(`status ${status}`);
  return new OpError("track_unavailable", message.slice(0, MAX_MESSAGE));
}

async function readJson(response: Response): Promise<Outside> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error("the answer is too long");
  }
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  if (isOutside(value)) return value;
  throw new Error("the answer is no object");
}
