/** Who may connect: the password in constant time, the bot's id by its form. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isSnowflake } from "./ops/fields.ts";

/** A refusal: HTTP status, stable code and a sentence. */
export interface Refusal {
  status: 400 | 401 | 404 | 503;
  code: string;
  message: string;
}

/** A client that may connect. */
export interface Client {
  userId: string;
  /** What it calls itself, for the log. */
  name: string | undefined;
}

const MAX_NAME = 100;

/** The client, or why it is refused. */
export function authenticate(headers: IncomingHttpHeaders, password: string): Client | Refusal {
  if (!equal(headers.authorization ?? "", password)) {
    const message = "The header Authorization is not the node's password.";
    return { status: 401, code: "wrong_password", message };
  }
  const userId = headers["user-id"];
  if (typeof userId !== "string" || !isSnowflake(userId)) {
    const message = "The header User-Id is not the bot's user id.";
    return { status: 400, code: "bad_user_id", message };
  }
  const name = headers["client-name"];
  return { userId, name: typeof name === "string" ? name.slice(0, MAX_NAME) : undefined };
}

/** Hashes first, so that neither content nor length shows in the time it takes. */
function equal(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
