/** End-to-end encryption (DAVE) of one call: carries messages between gateway and core, and tells who is in the group. */

import type { DaveCommand, GatewayLike } from "../gateway/index.ts";
import type { DaveFlow, DaveFlowEvent, DaveStatus, FlowEvent } from "../native/index.ts";
import { SafeEmitter } from "../support/emitter.ts";

/** How a call is encrypted end to end. */
export interface EncryptionState {
  /** Version of the DAVE protocol in use; 0 where the call is not end-to-end encrypted. */
  protocolVersion: number;
  /** True when frames leave: at once with version 0, with keys otherwise. */
  ready: boolean;
  /** Epoch of the group; undefined before the first and with version 0. A decimal string beyond 2^53. */
  epoch?: number | string;
  /** User ids of the group, the bot's own among them. Empty with version 0. */
  members: readonly string[];
  /** Voice privacy code, 30 digits in groups of five, as the Discord client shows it; only with a group. */
  privacyCode?: string;
}

/** Events of a call's {@link Encryption}. */
export type EncryptionEvents = {
  /** Version, readiness, epoch or members changed. */
  change: [state: EncryptionState];
  /** A transition was executed: from this moment frames leave in this version, with the new keys. */
  transition: [transition: { transitionId: number; protocolVersion: number }];
};

type EncryptedGateway = Pick<GatewayLike, "daveFailed" | "daveReply">;

/** Whether an event is the group's. */
export function isDaveEvent(event: FlowEvent): event is DaveFlowEvent {
  return event.type.startsWith("dave_");
}

const NOT_ENCRYPTED: EncryptionState = { protocolVersion: 0, ready: false, members: [] };

/** End-to-end encryption of one call; `connection.encryption`. It needs no attention: keys come and go by themselves. */
export class Encryption extends SafeEmitter<EncryptionEvents> {
  readonly #flow: DaveFlow;
  readonly #gateway: () => EncryptedGateway;
  #state = NOT_ENCRYPTED;

  /**
   * @param gateway Asked when something is to be told: the gateway is made together with this.
   * @internal
   */
  constructor(flow: DaveFlow, gateway: () => EncryptedGateway) {
    super();
    this.#flow = flow;
    this.#gateway = gateway;
  }

  /** How the call is encrypted now. */
  get state(): EncryptionState {
    return this.#state;
  }

  /** Counters of the group and its frames; undefined where no session was opened yet. */
  stats(): DaveStatus | undefined {
    return this.#flow.daveStatus();
  }

  /**
   * The 45 digits that this bot and a member of the group compare, as the Discord client shows them. Computing them
   * takes a worker thread up to a second (scrypt).
   *
   * @throws CadenzaError `dave_not_a_member` when the user is not in the group.
   */
  async verificationCode(userId: string): Promise<string> {
    return await this.#flow.verificationCode(userId);
  }

  /**
   * Does what the gateway asks of the group.
   *
   * @internal
   */
  perform(command: DaveCommand): void {
    switch (command.type) {
      case "open": {
        const { type: _, ...session } = command;
        return this.#flow.daveOpen(session);
      }
      case "message":
        return this.#flow.daveMessage(command.message);
      case "members": {
        const { type: _, ...members } = command;
        return this.#flow.daveMembers(members);
      }
      case "close":
        this.#flow.daveClose();
        return this.#change(NOT_ENCRYPTED);
    }
  }

  /**
   * Takes what the core tells of the group.
   *
   * @internal
   */
  handle(event: DaveFlowEvent): void {
    switch (event.type) {
      case "dave_send": {
        const { type: _, ...reply } = event;
        return this.#gateway().daveReply(reply);
      }
      case "dave_failed": {
        const { code, message } = event;
        return this.#gateway().daveFailed({ code, message });
      }
      case "dave_state": {
        const { type: _, ...state } = event;
        return this.#change(state);
      }
      case "dave_transition": {
        const { transitionId, protocolVersion } = event;
        this.emit("transition", { transitionId, protocolVersion });
      }
    }
  }

  #change(state: EncryptionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("change", state);
  }
}
