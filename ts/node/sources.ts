/** Decides what a track's URL may open: http(s), or a file inside an allowed folder. */

import { realpath, stat } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceSpec } from "../native/types.ts";
import { OpError } from "./ops/fields.ts";

/** An allowed folder. */
interface Folder {
  /** As the operator wrote it, made absolute. */
  named: string;
  /** With links followed. */
  real: string;
}

/** Resolves track URLs against the allowed folders. */
export class Sources {
  readonly #folders: readonly Folder[];

  private constructor(folders: readonly Folder[]) {
    this.#folders = folders;
  }

  /** @param folders Existing folders; links in their paths are followed once, here. */
  static async create(folders: readonly string[]): Promise<Sources> {
    const found = folders.map(async (folder) => ({
      named: resolve(folder),
      real: await realpath(folder),
    }));
    return new Sources(await Promise.all(found));
  }

  /**
   * The source a URL names.
   *
   * @throws OpError `unknown_track` for a URL that cannot be played or a file that is not there,
   * `track_not_allowed` for a file outside the allowed folders, links included.
   */
  async resolve(url: string): Promise<SourceSpec> {
    if (isAbsolute(url)) return { kind: "file", path: await this.#allowed(url) };
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed?.protocol === "http:" || parsed?.protocol === "https:") {
      return { kind: "http", url: parsed.href };
    }
    if (parsed?.protocol !== "file:") {
      throw unknown("its url is neither an http(s) or file URL nor an absolute path");
    }
    return { kind: "file", path: await this.#allowed(pathOf(parsed)) };
  }

  /** Outside the folders, a missing file and a present one look the same. */
  async #allowed(path: string): Promise<string> {
    const real = await realpath(path).catch(() => undefined);
    if (real !== undefined && this.#folders.some((folder) => contains(folder.real, real))) {
      if (await isFile(real)) return real;
      throw unknown("its path does not name a file");
    }
    const asked = resolve(path);
    const isClaimed = this.#folders.some(
      ({ named, real: folder }) => contains(named, asked) || contains(folder, asked),
    );
    if (real === undefined && isClaimed) throw unknown("its file does not exist");
    const message = "The track's file is not inside an allowed folder (allowed_folders).";
    throw new OpError("track_not_allowed", message, "d.track_id");
  }
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw unknown("its file URL is malformed");
  }
}

/** Whether a URL names a file of this machine. */
export function isLocal(url: string): boolean {
  return isAbsolute(url) || /^file:/i.test(url.trimStart());
}

/** Devices and pipes could block a reader for ever. */
async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ?? false;
}

function contains(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function unknown(why: string): OpError {
  return new OpError("unknown_track", `The track cannot be played: ${why}.`, "d.track_id");
}
