/** The table of ops: a text frame in, a command that can be carried out back. */

import type { Players } from "../players.ts";
import { destroy } from "./destroy.ts";
import { type Fields, OpError } from "./fields.ts";
import { getPlayer } from "./get-player.ts";
import { listPlayers } from "./list-players.ts";
import { loadTracks } from "./load-tracks.ts";
import type { Op, OpResult } from "./op.ts";
import { play } from "./play.ts";
import type { OpName, RequestId } from "./protocol.ts";
import { push } from "./push.ts";
import { pushEnd } from "./push-end.ts";
import { setFilter } from "./set-filter.ts";
import { setPauseState } from "./set-pause-state.ts";
import { setPosition } from "./set-position.ts";
import { setVolume } from "./set-volume.ts";
import { stop } from "./stop.ts";
import { voiceUpdate } from "./voice-update.ts";

const OPS: { [Name in OpName]: Op<Name> } = {
  voice_update: voiceUpdate,
  destroy,
  play,
  stop,
  set_pause_state: setPauseState,
  set_position: setPosition,
  set_filter: setFilter,
  set_volume: setVolume,
  push,
  push_end: pushEnd,
  load_tracks: loadTracks,
  get_player: getPlayer,
  list_players: listPlayers,
};

/** The names of all ops. */
export const OP_NAMES: readonly string[] = Object.keys(OPS);

const MAX_REQUEST_ID = 100;

/** What an answer says about the frame it answers, as far as that could be read. */
export interface Envelope {
  op?: string;
  id?: RequestId;
  guild_id?: string;
}

/** A command whose fields are all read. */
export interface ReadCommand {
  /** The guild whose ops it is carried out in order with; undefined for ops about no guild. */
  guildId: string | undefined;
  /** Whether it makes a play of the guild that still looks its track up pointless. */
  interrupts: boolean;
  /** @throws OpError for what cannot be done as things stand. */
  apply(players: Players): Promise<OpResult>;
}

/**
 * Reads a frame. `envelope` is filled in on the way, so that the answer to a bad frame can say what it answers.
 *
 * @throws OpError `bad_json`, `missing_field`, `wrong_type`, `invalid_value`, `unknown_op`.
 */
export function readCommand(frame: string, envelope: Envelope): ReadCommand {
  const value = parseObject(frame);
  const { d } = value;
  if (isObject(d) && typeof d.guild_id === "string") envelope.guild_id = d.guild_id.slice(0, 20);
  if (typeof value.op === "string") envelope.op = value.op.slice(0, 64);
  readRequestId(value.id, envelope);
  const op = readOp(value.op);
  if (d === undefined) throw new OpError("missing_field", "d is missing.", "d");
  if (!isObject(d)) throw new OpError("wrong_type", "d must be an object.", "d");
  return bind(op, d);
}

function parseObject(frame: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    throw new OpError("bad_json", "The message is not JSON.");
  }
  if (isObject(value)) return value;
  throw new OpError("bad_json", "The message is not a JSON object.");
}

function readRequestId(id: unknown, envelope: Envelope): void {
  if (id === undefined || id === null) return;
  if (typeof id !== "string" && typeof id !== "number") {
    throw new OpError("wrong_type", "id must be a string or a number.", "id");
  }
  if (String(id).length > MAX_REQUEST_ID) {
    throw new OpError("invalid_value", `id takes up to ${MAX_REQUEST_ID} characters.`, "id");
  }
  envelope.id = id;
}

function readOp(name: unknown): Op<OpName> {
  if (name === undefined) throw new OpError("missing_field", "op is missing.", "op");
  if (typeof name !== "string") throw new OpError("wrong_type", "op must be a string.", "op");
  if (Object.hasOwn(OPS, name)) return OPS[name as OpName] as Op<OpName>;
  const known = OP_NAMES.join(", ");
  throw new OpError("unknown_op", `The op is not known; there are ${known}.`, "op");
}

function bind<Name extends OpName>(op: Op<Name>, fields: Fields): ReadCommand {
  const body = op.parse(fields);
  return {
    guildId: "guild_id" in body ? body.guild_id : undefined,
    interrupts: op.interrupts?.(body) ?? false,
    apply: async (players) => (await op.apply(body, players)) ?? undefined,
  };
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
