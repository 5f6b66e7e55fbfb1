/** One user's main gateway, as far as voice goes: op 4 in, the two voice events out. */

import { SafeEmitter } from "../support/emitter.ts";
import type { World } from "./world.ts";

/** A dispatch of the main gateway, with the wire's spelling. */
export interface Dispatch {
  t: "VOICE_STATE_UPDATE" | "VOICE_SERVER_UPDATE";
  d: Record<string, unknown>;
}

/** What {@link SimMainGateway} emits. */
export type MainGatewayEvents = {
  dispatch: [Dispatch];
};

/** A main gateway connection; the events of every guild arrive as `dispatch`. */
export class SimMainGateway extends SafeEmitter<MainGatewayEvents> {
  /** Whose connection it is. */
  readonly userId: string;
  readonly #world: World;

  constructor(world: World, userId: string) {
    super();
    this.#world = world;
    this.userId = userId;
  }

  /** Takes an op 4 payload; false when it is something else or malformed. Events follow asynchronously. */
  send(payload: unknown): boolean {
    if (typeof payload !== "object" || payload === null) return false;
    const { op, d } = payload as { op?: unknown; d?: unknown };
    return op === 4 && this.#world.updateVoiceState(this.userId, d);
  }

  /** Begins a new main-gateway session: voice states and voice sessions of the old one are void. */
  reidentify(): void {
    this.#world.reidentify(this.userId);
  }

  /** Emits an event; called by the simulator. */
  deliver(dispatch: Dispatch): void {
    this.emit("dispatch", dispatch);
  }
}
