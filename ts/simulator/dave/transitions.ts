/** Transitions of one channel: who still has to say that it is ready, and when the switch is made (ops 21–23). */

import type { Peer } from "./peer.ts";
import type { DaveSettings } from "./settings.ts";

interface Transition {
  participants: Set<Peer>;
  waiting: Set<Peer>;
  timer: NodeJS.Timeout | undefined;
  onExecuted: () => void;
}

/** All transitions that were announced but not executed. */
export class Transitions {
  readonly #settings: DaveSettings;
  readonly #tell: (peer: Peer, id: number) => void;
  readonly #pending = new Map<number, Transition>();
  #nextId: number | undefined;
  /** Transitions that were executed because somebody did not answer in time. */
  timeouts = 0;

  /** `tell` sends op 22. */
  constructor(settings: DaveSettings, tell: (peer: Peer, id: number) => void) {
    this.#settings = settings;
    this.#tell = tell;
  }

  /** Ids that were announced but not executed. */
  get pending(): number[] {
    return [...this.#pending.keys()];
  }

  /** An id for the next transition; never 0. */
  allocate(): number {
    const id = this.#nextId ?? this.#settings.firstTransitionId;
    this.#nextId = id >= 0xffff ? 1 : id + 1;
    return id;
  }

  /** Waits for everybody, then executes. */
  open(id: number, participants: Iterable<Peer>, onExecuted: () => void = () => undefined): void {
    const all = new Set(participants);
    const transition: Transition = {
      participants: all,
      waiting: new Set(all),
      timer: undefined,
      onExecuted,
    };
    this.#pending.set(id, transition);
    if (this.#settings.executes === "early") return this.#execute(id, transition);
    transition.timer = setTimeout(() => {
      if (this.#settings.executes !== "never") this.timeouts += 1;
      this.#execute(id, transition);
    }, this.#settings.transitionTimeoutMs);
  }

  /** Takes op 23; one for a transition that is not pending comes too late and is ignored. */
  ready(peer: Peer, id: number): void {
    const transition = this.#pending.get(id);
    transition?.waiting.delete(peer);
    if (transition) this.#executeIfReady(id, transition);
  }

  /** Expects nothing any more from somebody who left or starts again. */
  forget(peer: Peer): void {
    for (const [id, transition] of this.#pending) {
      transition.participants.delete(peer);
      transition.waiting.delete(peer);
      this.#executeIfReady(id, transition);
    }
  }

  /** Executes nothing any more. */
  close(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  #executeIfReady(id: number, transition: Transition): void {
    if (transition.waiting.size === 0 && this.#settings.executes === "when_ready") {
      this.#execute(id, transition);
    }
  }

  #execute(id: number, transition: Transition): void {
    if (this.#settings.executes === "never") return;
    clearTimeout(transition.timer);
    if (!this.#pending.delete(id)) return;
    transition.onExecuted();
    for (const peer of transition.participants) this.#tell(peer, id);
  }
}
