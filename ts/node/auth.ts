/** Who may connect: the password in constant time, the bot's id by its form. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** A refusal: HTTP status, stable code and a sentence. */
export interface Refusal {
  status: 400 | 401;
  code: string;
  message: string;
}

/** The bot's user id, or why it is refused. */
export function authenticate(
  headers: IncomingHttpHeaders,
  password: string,
): { userId: string } | Refusal {
  if (!equal(headers.authorization ?? "", password)) {
    return {
      status: 401,
      code: "wrong_password",
      message: "The header Authorization is not the node's password.",
    };
  }
  const userId = headers["user-id"];
  if (typeof userId !== "string" || !/^\d{1,20}$/.test(userId)) {
    return {
      status: 400,
      code: "bad_user_id",
      message: "The header User-Id is not the bot's user id.",
    };
  }
  return { userId };
}

/** Hashes first, so that neither content nor length shows in the time it takes. */
function equal(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
