/** What a session is opened with, as it comes from outside. */

import { CadenzaError } from "../support/errors.ts";
import type { VoiceCredentials } from "./state.ts";

const NEEDED = ["guildId", "userId", "sessionId", "token", "endpoint"] as const;

/**
 * Checks that every field is there; whether they are good is for the voice server to say.
 *
 * @throws CadenzaError `invalid_argument` that names the field, never its value.
 */
export function checkCredentials(credentials: VoiceCredentials): void {
  const given = (credentials ?? {}) as unknown as Record<string, unknown>;
  const wrong = NEEDED.find((name) => typeof given[name] !== "string");
  if (wrong !== undefined) refuse(wrong);
  const { channelId } = given;
  if (channelId !== undefined && typeof channelId !== "string") refuse("channelId");
}

function refuse(field: string): never {
  throw new CadenzaError(
    "invalid_argument",
    `The field ${field} of credentials has to be a string.`,
  );
}
