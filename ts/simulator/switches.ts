/** Every fault by a name and a value in text, for command lines and configuration files. */

import { CadenzaError } from "../support/errors.ts";
import type { DiscordSimulator } from "./simulator.ts";
import {
  AUDIO,
  DAVE,
  MAIN_GATEWAY,
  SIGNALLING,
  type SwitchHelp,
  type SwitchPlace,
} from "./switch-table.ts";

/** All switches in groups with a title. */
export const SWITCH_GROUPS: readonly { title: string; switches: readonly SwitchHelp[] }[] = [
  { title: "Audio and UDP", switches: AUDIO },
  { title: "Voice gateway", switches: SIGNALLING },
  { title: "Main gateway", switches: MAIN_GATEWAY },
  { title: "End-to-end encryption", switches: DAVE },
];

const BY_NAME = new Map(
  [...AUDIO, ...SIGNALLING, ...MAIN_GATEWAY, ...DAVE].map((known) => [known.name, known]),
);

/**
 * Reads `name` or `name=value`; what comes back sets the switch, or does at once what it says.
 *
 * @throws CadenzaError `invalid_argument` for an unknown name or a value that does not fit.
 */
export function readSwitch(
  setting: string,
): (simulator: DiscordSimulator, place: SwitchPlace) => Promise<void> {
  const at = setting.indexOf("=");
  const name = at < 0 ? setting : setting.slice(0, at);
  const known = BY_NAME.get(name);
  if (!known) throw new CadenzaError("invalid_argument", `There is no fault "${name}".`);
  try {
    const act = known.read(at < 0 ? undefined : setting.slice(at + 1));
    return async (simulator, place) => {
      await act({ ...place, simulator, faults: simulator.faults });
    };
  } catch (cause) {
    const form = known.value === "" ? "takes no value" : `takes ${known.value}`;
    throw new CadenzaError("invalid_argument", `The fault ${name} ${form}.`, { cause });
  }
}
