/** Who may connect: the password in constant time, the bot's id by its form. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Refusal } from "./http.ts";
import { isSnowflake } from "./ops/fields.ts";

/** A client that may connect. */
export interface Client {
  userId: string;
  /** What it calls itself, for the log. */
  name: string | undefined;
  /** The session that it wants to resume. */
  sessionId: string | undefined;
  /** The number of the last event that it got there. */
  lastEvent: number | undefined;
}

const MAX_NAME = 100;

/** The client, or why it is refused. */
export function authenticate(headers: IncomingHttpHeaders, password: string): Client | Refusal {
  if (!isPassword(headers.authorization ?? "", password)) {
    const message = "The header Authorization is not the node's password.";
    return { status: 401, code: "wrong_password", message };
  }
  const userId = headers["user-id"];
  if (typeof userId !== "string" || !isSnowflake(userId)) {
    const message = "The header User-Id is not the bot's user id.";
    return { status: 400, code: "bad_user_id", message };
  }
  const name = headers["client-name"];
  const sessionId = headers["session-id"];
  const lastEvent = headers["last-event"];
  if (lastEvent !== undefined && !/^\d{1,15}$/.test(String(lastEvent))) {
    const message = "The header Last-Event is not the number of an event.";
    return { status: 400, code: "bad_last_event", message };
  }
  return {
    userId,
    name: typeof name === "string" ? name.slice(0, MAX_NAME) : undefined,
    sessionId: typeof sessionId === "string" ? sessionId : undefined,
    lastEvent: lastEvent === undefined ? undefined : Number(lastEvent),
  };
}

/** Whether a text is the password. Hashes first, so that neither content nor length shows in the time it takes. */
export function isPassword(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
