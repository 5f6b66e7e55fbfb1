/** `set_filter`: replaces all filters, for what plays and for what comes. */

import { FilterError, type ResolvedFilters, resolveFilters } from "../../voice/filters.ts";
import { type Fields, OpError, snowflake } from "./fields.ts";
import type { Op } from "./op.ts";
import type { Filters } from "./protocol.ts";

const CODES: Record<string, string> = {
  filter_unknown: "invalid_value",
  filter_wrong_type: "wrong_type",
  filter_out_of_range: "invalid_value",
};

/** Filters hold a list of objects at most. */
const DEEPEST = 3;

export const setFilter: Op<"set_filter"> = {
  parse: (fields) => ({
    guild_id: snowflake(fields, "guild_id"),
    filters: filtersOf(fields),
  }),
  apply: (d, players) => players.existing(d.guild_id).setFilters(d.filters),
};

/** Filters as they are told to clients. */
export function toWire(filters: ResolvedFilters): Filters {
  return renamed(filters, snakeCase) as Filters;
}

function filtersOf(fields: Fields): ResolvedFilters {
  const { filters } = fields;
  if (filters === undefined) {
    throw new OpError("missing_field", "filters is missing.", "d.filters");
  }
  try {
    // The names of Lavalink are understood as well.
    return resolveFilters(renamed(filters, camelCase));
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const field = error.field === "filters" ? "filters" : `filters.${snakeCase(error.field)}`;
    const message = snakeCase(error.message.slice(error.field.length));
    throw new OpError(CODES[error.code] ?? "invalid_value", `${field}${message}`, `d.${field}`);
  }
}

/** A value of JSON with other names for the members of its objects, as deep as filters are. */
function renamed(value: unknown, name: (name: string) => string, depth = 0): unknown {
  if (typeof value !== "object" || value === null || depth === DEEPEST) return value;
  if (Array.isArray(value)) return value.map((entry) => renamed(entry, name, depth + 1));
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, entry]) => [name(key), renamed(entry, name, depth + 1)]),
  );
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function snakeCase(name: string): string {
  return name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
