/** Decides what a track's URL may open: http(s), or a file inside an allowed folder. */

import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceSpec } from "../native/types.ts";
import { OpError } from "./ops/fields.ts";

/** Resolves track URLs against the allowed folders. */
export class Sources {
  readonly #folders: readonly string[];

  private constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** @param folders Existing folders; links in their paths are followed once, here. */
  static async create(folders: readonly string[]): Promise<Sources> {
    return new Sources(await Promise.all(folders.map((folder) => realpath(folder))));
  }

  /**
   * The source a URL names.
   *
   * @throws OpError `unknown_track` for a scheme that cannot be played or a file that is not there,
   * `track_not_allowed` for a file outside the allowed folders, links included.
   */
  async resolve(url: string): Promise<SourceSpec> {
    if (/^https?:\/\//i.test(url)) return { kind: "http", url };
    return { kind: "file", path: await this.#allowed(filePath(url)) };
  }

  /** Outside the folders, a missing file and a present one look the same. */
  async #allowed(path: string): Promise<string> {
    const isClaimed = this.#folders.some((folder) => contains(folder, resolve(path)));
    const real = await realpath(path).catch(() => undefined);
    if (real !== undefined && this.#folders.some((folder) => contains(folder, real))) return real;
    if (real === undefined && isClaimed) {
      throw new OpError("unknown_track", "The track's file does not exist.", "track_id");
    }
    throw new OpError(
      "track_not_allowed",
      "The track's file is not inside an allowed folder (allowed_folders).",
      "track_id",
    );
  }
}

function filePath(url: string): string {
  if (isAbsolute(url)) return url;
  if (/^file:\/\//i.test(url)) {
    try {
      return fileURLToPath(url);
    } catch {
      throw new OpError("unknown_track", "The track's file URL is malformed.", "track_id");
    }
  }
  throw new OpError(
    "unknown_track",
    "The track's url is neither http(s) nor an absolute file path.",
    "track_id",
  );
}

function contains(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
}
