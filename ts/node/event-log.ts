/** The last events of a session, numbered, for a client that comes back and asks what it missed. */

/** Events that are kept for a session. */
export const MAX_KEPT_EVENTS = 10_000;
/** Characters of events that are kept for a session. */
export const MAX_KEPT_CHARACTERS = 4 * 1024 * 1024;

/** What a client missed. */
export interface Missed {
  /** Oldest first, as they were sent. */
  messages: string[];
  /** False when some were forgotten, or when the client names an event that has not been sent yet. */
  complete: boolean;
}

/** Numbers messages from 1 on and keeps the last of them. */
export class EventLog {
  #kept: string[] = [];
  /** How many at the beginning of the list are forgotten already. */
  #gone = 0;
  #characters = 0;
  #last = 0;

  /** The number of the last message; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Numbers a message, keeps it and returns it. */
  add(write: (number: number) => string): string {
    this.#last += 1;
    const message = write(this.#last);
    this.#kept.push(message);
    this.#characters += message.length;
    while (
      this.#kept.length - this.#gone > MAX_KEPT_EVENTS ||
      this.#characters > MAX_KEPT_CHARACTERS
    ) {
      this.#forgetOldest();
    }
    return message;
  }

  /** The messages after the one with this number. */
  since(number: number): Missed {
    const wanted = this.#last - number;
    const kept = this.#kept.length - this.#gone;
    if (wanted < 0) return { messages: [], complete: false };
    const from = this.#kept.length - Math.min(wanted, kept);
    return { messages: this.#kept.slice(from), complete: wanted <= kept };
  }

  /** The list is cut once half of it is gone, so that forgetting costs the same however long it is. */
  #forgetOldest(): void {
    this.#characters -= this.#kept[this.#gone]?.length ?? 0;
    this.#kept[this.#gone] = "";
    this.#gone += 1;
    if (this.#gone * 2 < this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#gone);
    this.#gone = 0;
  }
}
