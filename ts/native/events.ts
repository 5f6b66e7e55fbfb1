/** Turns the binding's flat events into the typed union that the rest of the package sees. */

import { toDaveEvent } from "./dave.ts";
import type { BindingEvent, BindingTrackInfo } from "./generated/binding.js";
import type { FlowEvent, StreamMetadata, TrackInfo } from "./types.ts";

/** The typed event, or undefined when the addon is newer than this code and sends an unknown kind. */
export function toFlowEvent(event: BindingEvent): FlowEvent | undefined {
  const track = event.track ?? 0;
  const generation = event.generation ?? 0;
  switch (event.kind) {
    case "discovered":
      return {
        type: "discovered",
        generation,
        address: event.address ?? "",
        port: event.port ?? 0,
      };
    case "discovery_failed":
      return { type: "discovery_failed", generation, reason: event.reason ?? "" };
    case "transport_failed":
      return { type: "transport_failed", generation, message: event.message ?? "" };
    case "track_started":
      return event.info
        ? { type: "track_started", track, info: toTrackInfo(event.info) }
        : undefined;
    case "track_ended":
      return { type: "track_ended", track, reason: toEndReason(event.reason) };
    case "track_failed":
      return { type: "track_failed", track, code: event.code ?? "", message: event.message ?? "" };
    case "track_stalled":
      return { type: "track_stalled", track, forMs: event.forMs ?? 0 };
    case "track_metadata":
      return { type: "track_metadata", track, metadata: toMetadata(event) };
    case "track_starved":
      return { type: "track_starved", track };
    case "drained":
      return { type: "drained" };
    case "frames_wanted":
      return { type: "frames_wanted", count: event.count ?? 0 };
    case "dave":
      return event.dave && toDaveEvent(event.dave);
    default:
      return undefined;
  }
}

function toEndReason(reason: string | undefined): "finished" | "stopped" | "replaced" {
  return reason === "stopped" || reason === "replaced" ? reason : "finished";
}

function toMetadata({ title, station, url }: BindingEvent): StreamMetadata {
  return {
    ...(title === undefined ? {} : { title }),
    ...(station === undefined ? {} : { station }),
    ...(url === undefined ? {} : { url }),
  };
}

function toTrackInfo(info: BindingTrackInfo): TrackInfo {
  const { durationMs, ...rest } = info;
  return durationMs === undefined ? rest : { ...rest, durationMs };
}
