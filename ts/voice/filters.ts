/** Filters and volume of a player: their types, their check and its error. */

export {
  FilterError,
  type FilterSettings,
  type ResolvedFilters,
  resolveFilters,
  resolveVolume,
} from "../native/filters.ts";
