/** The node's HTTP side: a few things to ask for, and refusals in the form of all others. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pageFile } from "./dashboard/page-files.ts";
import { openApi } from "./openapi.ts";

/** A refusal: HTTP status, stable code and a sentence. */
export interface Refusal {
  status: keyof typeof STATUS_TEXT;
  code: string;
  message: string;
}

/** What is answered to a request. */
export interface HttpAnswer {
  status: number;
  type: string;
  body: string;
  headers?: Record<string, string>;
}

/** What the HTTP side tells about. */
export interface HttpParts {
  /** Why no new players are taken, or undefined when they are. */
  unready(): string | undefined;
  /** The metrics, as Prometheus reads them. */
  metrics(): Promise<string>;
  /** Version of the package. */
  version: string;
  /** Whether there is a dashboard. */
  hasDashboard: boolean;
}

const STATUS_TEXT = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** For paths that are not there. */
export const NOT_FOUND: Refusal = {
  status: 404,
  code: "not_found",
  message: "There is nothing here; the op protocol is a WebSocket at /v1/ws.",
};
const WRONG_METHOD: Refusal = {
  status: 405,
  code: "method_not_allowed",
  message: "Only GET and HEAD are answered here.",
};
const FAILED: Refusal = {
  status: 500,
  code: "internal_error",
  message: "The node failed to answer.",
};

const FAILURE = refusalAnswer(FAILED);

/** Answers a request. Never throws; a peer that is gone is nobody's matter. */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  parts: HttpParts,
): Promise<void> {
  const [path = "/"] = (request.url ?? "/").split("?");
  const { status, type, body, headers } = await find(path, request.method, parts).catch(
    () => FAILURE,
  );
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** Answers an upgrade that is refused, and ends its socket. */
export function refuse(socket: Duplex, { status, code, message }: Refusal): void {
  const body = JSON.stringify({ code, message });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

async function find(
  path: string,
  method: string | undefined,
  parts: HttpParts,
): Promise<HttpAnswer> {
  const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  const page = parts.hasDashboard ? pageFile(path) : undefined;
  if (!route && !page) return refusalAnswer(NOT_FOUND);
  if (method === "GET" || method === "HEAD") return page ?? (await route?.(parts)) ?? FAILURE;
  return { ...refusalAnswer(WRONG_METHOD), headers: { allow: "GET, HEAD" } };
}

const ROUTES: Record<string, (parts: HttpParts) => HttpAnswer | Promise<HttpAnswer>> = {
  "/healthz": () => json(200, { status: "ok" }),
  "/readyz": (parts) => {
    const reason = parts.unready();
    return reason === undefined
      ? json(200, { status: "ready" })
      : json(503, { status: "unready", reason });
  },
  "/metrics": async (parts) => ({
    status: 200,
    type: "text/plain; version=0.0.4; charset=utf-8",
    body: await parts.metrics(),
  }),
  "/openapi.json": ({ version }) => json(200, openApi(version)),
};

function json(status: number, value: object): HttpAnswer {
  return { status, type: "application/json", body: JSON.stringify(value) };
}

function refusalAnswer({ status, code, message }: Refusal): HttpAnswer {
  return json(status, { code, message });
}
