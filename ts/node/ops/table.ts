/** The table of ops: a text frame in, the op carried out, the answer's parts back. */

import type { Players } from "../players.ts";
import { destroy } from "./destroy.ts";
import { type Fields, OpError } from "./fields.ts";
import type { Op } from "./op.ts";
import { play } from "./play.ts";
import type { OpName } from "./protocol.ts";
import { setPauseState } from "./set-pause-state.ts";
import { setPosition } from "./set-position.ts";
import { stop } from "./stop.ts";
import { voiceUpdate } from "./voice-update.ts";

const OPS: { [Name in OpName]: Op<Name> } = {
  voice_update: voiceUpdate,
  destroy,
  play,
  stop,
  set_pause_state: setPauseState,
  set_position: setPosition,
};

/** What is known of a frame before its body is read; answers echo it. */
export interface Envelope {
  op?: string;
  id?: string | number;
  guild_id?: string;
}

/** A frame of a client. */
export interface Frame {
  envelope: Envelope;
  d: unknown;
}

/**
 * Reads the outside of a frame.
 *
 * @throws OpError `bad_json` when it is not a JSON object.
 */
export function readFrame(frame: string): Frame {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    throw new OpError("bad_json", "The message is not JSON.");
  }
  if (!isObject(value)) throw new OpError("bad_json", "The message is not a JSON object.");
  const { op, id, d } = value;
  const guildId =
    isObject(d) && typeof d.guild_id === "string" ? d.guild_id.slice(0, 20) : undefined;
  const envelope: Envelope = {
    ...(typeof op === "string" ? { op: op.slice(0, 64) } : {}),
    ...(isRequestId(id) ? { id } : {}),
    ...(guildId === undefined ? {} : { guild_id: guildId }),
  };
  return { envelope, d };
}

/**
 * Carries out a frame.
 *
 * @throws OpError for what the client did wrong.
 */
export async function carryOut(frame: Frame, players: Players): Promise<void> {
  const { op } = frame.envelope;
  if (op === undefined) throw new OpError("missing_field", "op is missing, or not a string.", "op");
  if (op === "set_filter")
    throw new OpError("filters_unavailable", "Filters are not available yet.");
  if (!isOpName(op)) {
    throw new OpError(
      "unknown_op",
      `The op is not known; there are ${Object.keys(OPS).join(", ")} and set_filter.`,
      "op",
    );
  }
  if (frame.d === undefined) throw new OpError("missing_field", "d is missing.", "d");
  if (!isObject(frame.d)) throw new OpError("wrong_type", "d is not an object.", "d");
  await run(OPS[op] as Op<OpName>, frame.d, players);
}

async function run<Name extends OpName>(
  op: Op<Name>,
  fields: Fields,
  players: Players,
): Promise<void> {
  await op.apply(op.parse(fields), players);
}

function isOpName(name: string): name is OpName {
  return Object.hasOwn(OPS, name);
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRequestId(id: unknown): id is string | number {
  return typeof id === "number" || (typeof id === "string" && id.length <= 100);
}
