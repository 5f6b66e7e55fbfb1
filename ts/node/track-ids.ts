/** What clients call the tracks whose end is still to come: the one that plays and those it replaced. */

const MAX_OPEN_TRACKS = 16;

/** Track ids by the player's numbers. */
export class TrackIds {
  readonly #ids = new Map<number, string>();

  /** All of them, oldest first. */
  get all(): Iterable<string> {
    return this.#ids.values();
  }

  /** The id of a track; empty when it is not known any more. */
  of(track: number): string {
    return this.#ids.get(track) ?? "";
  }

  /** Takes a track in; the oldest of too many is forgotten. */
  add(track: number, id: string): void {
    this.#ids.set(track, id);
    const [oldest] = this.#ids.keys();
    if (this.#ids.size > MAX_OPEN_TRACKS && oldest !== undefined) this.#ids.delete(oldest);
  }

  /** Forgets a track that ended. */
  delete(track: number): void {
    this.#ids.delete(track);
  }
}
