/** The way from the media server to a client: what is lost, doubled, swapped, delayed or damaged on it. */

import type { SeededRandom } from "./random.ts";

/** A swapped packet goes on alone when nothing follows it for so long. */
const SWAP_LIMIT_MS = 500;

/** What becomes of one packet. */
export type LinkDecision = "pass" | "drop" | "duplicate" | "swap" | "corrupt" | { delayMs: number };

/** What {@link LinkFaults.decide} is told about a packet on its way. */
export interface LinkPacket {
  /** Who gets it. */
  toUserId: string;
  ssrc: number;
  sequence: number;
  /** Counts the packets to this receiver from 0. */
  index: number;
}

/** How bad the way is; everything is drawn from the simulator's seed. */
export interface LinkFaults {
  /** Share (0–1) of the packets at which a loss begins. */
  lossShare: number;
  /** Packets that are lost together. Default 1. */
  lossBurst: number;
  /** Share (0–1) of the packets that come twice. */
  duplicateShare: number;
  /** Share (0–1) of the packets that come after the one behind them. */
  swapShare: number;
  /** Share (0–1) of the packets with one bit changed. */
  corruptShare: number;
  /** Delay of every packet in milliseconds. */
  delayMs: number;
  /** Further delay in milliseconds, drawn evenly from 0 to this for each packet. */
  jitterMs: number;
  /** Decides for each packet before the shares do; undefined leaves it to them. */
  decide: ((packet: LinkPacket) => LinkDecision | undefined) | undefined;
}

/** A clean way. */
export function cleanLink(): LinkFaults {
  return {
    lossShare: 0,
    lossBurst: 1,
    duplicateShare: 0,
    swapShare: 0,
    corruptShare: 0,
    delayMs: 0,
    jitterMs: 0,
    decide: undefined,
  };
}

/** The way to one receiver. */
export class Link {
  readonly #faults: LinkFaults;
  readonly #random: SeededRandom;
  readonly #send: (datagram: Buffer) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  #lossLeft = 0;
  #index = 0;
  #swapped: { datagram: Buffer; timer: NodeJS.Timeout } | undefined;

  constructor(faults: LinkFaults, random: SeededRandom, send: (datagram: Buffer) => void) {
    this.#faults = faults;
    this.#random = random;
    this.#send = send;
  }

  /** Takes a sealed packet. */
  carry(datagram: Buffer, packet: Omit<LinkPacket, "index">): void {
    const decision = this.#faults.decide?.({ ...packet, index: this.#index++ }) ?? this.#draw();
    if (typeof decision === "object") return this.#later(decision.delayMs, datagram);
    switch (decision) {
      case "drop":
        return;
      case "swap":
        return this.#swap(datagram);
      case "corrupt":
        return this.#pass(this.#damaged(datagram));
      case "duplicate":
        this.#pass(datagram);
        return this.#pass(datagram);
      case "pass":
        return this.#pass(datagram);
    }
  }

  /** Drops what is still under way. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#swapped?.timer);
    this.#swapped = undefined;
  }

  #draw(): LinkDecision {
    const { lossShare, lossBurst, duplicateShare, swapShare, corruptShare } = this.#faults;
    if (this.#lossLeft > 0) {
      this.#lossLeft -= 1;
      return "drop";
    }
    if (this.#random.chance(lossShare)) {
      this.#lossLeft = Math.max(1, lossBurst) - 1;
      return "drop";
    }
    if (this.#random.chance(duplicateShare)) return "duplicate";
    if (this.#random.chance(swapShare)) return "swap";
    return this.#random.chance(corruptShare) ? "corrupt" : "pass";
  }

  #pass(datagram: Buffer): void {
    const { delayMs, jitterMs } = this.#faults;
    this.#later(
      delayMs + (jitterMs > 0 ? this.#random.below(jitterMs * 1000) / 1000 : 0),
      datagram,
    );
  }

  #later(delayMs: number, datagram: Buffer): void {
    if (delayMs <= 0) return this.#out(datagram);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#out(datagram);
    }, delayMs);
    this.#timers.add(timer);
  }

  #out(datagram: Buffer): void {
    this.#send(datagram);
    this.#release();
  }

  /** Keeps a packet back until the next has gone out. */
  #swap(datagram: Buffer): void {
    this.#release();
    const timer = setTimeout(() => this.#release(), SWAP_LIMIT_MS);
    this.#swapped = { datagram, timer };
  }

  #release(): void {
    if (!this.#swapped) return;
    clearTimeout(this.#swapped.timer);
    this.#send(this.#swapped.datagram);
    this.#swapped = undefined;
  }

  #damaged(datagram: Buffer): Buffer {
    const damaged = Buffer.from(datagram);
    const at = this.#random.below(damaged.length);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << this.#random.below(8));
    return damaged;
  }
}
