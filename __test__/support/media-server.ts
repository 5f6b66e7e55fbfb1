/** An HTTP server on loopback for sources: files with ranges, and whatever a test says. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionContext } from "ava";

/** Small media of every format. */
export const FIXTURES = fileURLToPath(
  new URL("../../crates/audio/tests/fixtures/", import.meta.url),
);

/** Answers a request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Starts a server that ends with the test, and gives its address without a path. */
export async function mediaServer(t: ExecutionContext, answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    response.on("error", () => undefined);
    Promise.resolve(answer(request, response)).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers with bytes, or the part of them that was asked for. */
export function sendBytes(request: IncomingMessage, response: ServerResponse, all: Buffer): void {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  if (from === undefined) {
    response.writeHead(200, { "Content-Length": all.length }).end(all);
    return;
  }
  const end = Math.min(all.length, to ? Number(to) + 1 : all.length);
  const part = all.subarray(Number(from), end);
  const range = `bytes ${from}-${end - 1}/${all.length}`;
  const head = { "Content-Length": part.length, "Content-Range": range, ETag: '"1"' };
  if (part.length === 0) response.writeHead(416).end();
  else response.writeHead(206, head).end(part);
}

/** Answers with a file of a folder by the last part of the path. */
export function sendFiles(folder: string): Answer {
  return async (request, response) => {
    const name = basename(new URL(request.url ?? "/", "http://x").pathname);
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes) sendBytes(request, response, bytes);
    else response.writeHead(404).end();
  };
}
