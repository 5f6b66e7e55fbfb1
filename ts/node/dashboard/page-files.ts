/** The files of the dashboard's page, as they lie in `page/` beside this one. */

import { readFileSync } from "node:fs";
import type { HttpAnswer } from "../http.ts";

const SCRIPTS = ["app.js", "charts.js", "elements.js", "errors.js", "model.js", "players.js"];

const FILES: Record<string, { file: string; type: string }> = {
  "/dashboard": { file: "page.html", type: "text/html; charset=utf-8" },
  "/dashboard/style.css": { file: "style.css", type: "text/css; charset=utf-8" },
  ...Object.fromEntries(
    SCRIPTS.map((file) => [`/dashboard/${file}`, { file, type: "text/javascript; charset=utf-8" }]),
  ),
};

/** Nothing from elsewhere is loaded, and nobody else's page can show this one. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
};

/** The paths that are files. */
export const PAGE_PATHS = Object.keys(FILES);

/** A file of the page; undefined for other paths. */
export function pageFile(path: string): HttpAnswer | undefined {
  const found = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
  if (!found) return undefined;
  const body = readFileSync(new URL(`./page/${found.file}`, import.meta.url), "utf8");
  return { status: 200, type: found.type, body, headers: HEADERS };
}
