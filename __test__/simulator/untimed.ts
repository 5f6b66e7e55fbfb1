/** What a listener objected to, without what a busy machine does to a client that these tests write in JavaScript. */

import type { Problem } from "../../ts/simulator/index.ts";

/** Problems other than "the timestamps fell behind the clock", which is what a process sees that had to wait. */
export function untimed(problems: readonly Problem[]): Problem[] {
  return problems.filter(({ code }) => code !== "timestamp_behind_clock");
}
