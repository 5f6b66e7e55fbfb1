/** Carries out the jobs of one guild one after another, and those of different guilds side by side. */

import { OpError } from "./ops/fields.ts";

/** Jobs of one guild that may wait; more are refused with `too_many_ops`. */
export const MAX_WAITING = 64;

interface Line {
  last: Promise<void>;
  waiting: number;
}

/** Lines of jobs, by guild. */
export class Turns {
  readonly #lines = new Map<string, Line>();

  /** Runs a job at once when nothing of the guild is under way, and else in its turn, as `run` does. */
  async soon(guildId: string, job: () => void): Promise<void> {
    if (!this.#lines.has(guildId)) return job();
    await this.run(guildId, async () => job());
  }

  /**
   * Runs a job when those of the same guild before it have ended, however they ended.
   *
   * @throws OpError `too_many_ops`, or what the job throws.
   */
  async run<T>(guildId: string, job: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(guildId) ?? { last: Promise.resolve(), waiting: 0 };
    if (line.waiting >= MAX_WAITING) {
      const message = `${MAX_WAITING} ops of this guild wait already; the op was not carried out.`;
      throw new OpError("too_many_ops", message);
    }
    this.#lines.set(guildId, line);
    line.waiting += 1;
    const turn = line.last.then(job);
    line.last = turn.then(ignore, ignore);
    try {
      return await turn;
    } finally {
      line.waiting -= 1;
      if (line.waiting === 0) this.#lines.delete(guildId);
    }
  }
}

function ignore(): void {}
