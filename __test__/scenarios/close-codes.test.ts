/** Scenarios: every close code while the bot plays, and the telling ones in every phase before and during a resume. */

import type { Phase } from "../../ts/simulator/index.ts";
import { type Outcome, type Scenario, scenarios } from "./scenario.ts";

const WAIT_MS = 400;

/** While it plays; once, with nothing else happening on the main gateway. Written down from the protocol's own table. */
const WHILE_PLAYING: readonly [code: number, Outcome][] = [
  [1000, "resumed"],
  [1001, "resumed"],
  [1002, "resumed"],
  [1003, "resumed"],
  [1005, "resumed"],
  [1006, "resumed"],
  [1007, "resumed"],
  [1008, "resumed"],
  [1009, "resumed"],
  [1010, "resumed"],
  [1011, "resumed"],
  [3500, "resumed"],
  [4000, "resumed"],
  [4001, "rejoined"],
  [4002, "rejoined"],
  [4003, "rejoined"],
  [4004, "rejoined"],
  [4005, "rejoined"],
  [4006, "rejoined"],
  [4009, "resumed"],
  [4011, "rejoined"],
  [4012, { ends: "closed_unknown_protocol", closeCode: 4012 }],
  [4013, "resumed"],
  [4014, { ends: "closed_disconnected", closeCode: 4014 }],
  [4015, "resumed"],
  [4016, "rejoined"],
  [4017, { ends: "closed_e2ee_required", closeCode: 4017 }],
  [4020, "rejoined"],
  [4021, { ends: "closed_rate_limited", closeCode: 4021 }],
  [4022, { ends: "closed_call_terminated", closeCode: 4022 }],
  [4999, "rejoined"],
];

scenarios(
  WHILE_PLAYING.map(
    ([code, outcome]): Scenario => ({
      name: `close code ${code} while playing: ${titleOf(outcome)}`,
      timeouts: { wait: WAIT_MS },
      when: ({ simulator, guildId }) => simulator.faults.closeWith(guildId, code),
      outcome,
    }),
  ),
);

/** On the way in, once. */
const WHILE_JOINING: readonly [Phase, code: number, Outcome][] = [
  ["before_hello", 1006, "joined"],
  ["before_hello", 4006, "joined"],
  ["before_hello", 4014, { ends: "closed_disconnected", closeCode: 4014 }],
  ["before_hello", 4017, { ends: "closed_e2ee_required", closeCode: 4017 }],
  ["before_ready", 1001, "joined"],
  ["before_ready", 1006, "joined"],
  ["before_ready", 4003, "joined"],
  ["before_ready", 4004, "joined"],
  ["before_ready", 4006, "joined"],
  ["before_ready", 4009, "joined"],
  ["before_ready", 4011, "joined"],
  ["before_ready", 4014, { ends: "closed_disconnected", closeCode: 4014 }],
  ["before_ready", 4017, { ends: "closed_e2ee_required", closeCode: 4017 }],
  ["before_ready", 4020, "joined"],
  ["before_ready", 4021, { ends: "closed_rate_limited", closeCode: 4021 }],
  ["before_ready", 4022, { ends: "closed_call_terminated", closeCode: 4022 }],
  ["before_session_description", 1006, "joined"],
  ["before_session_description", 4006, "joined"],
  ["before_session_description", 4012, { ends: "closed_unknown_protocol", closeCode: 4012 }],
  ["before_session_description", 4015, "joined"],
  ["before_session_description", 4016, "joined"],
  ["before_session_description", 4017, { ends: "closed_e2ee_required", closeCode: 4017 }],
];

scenarios(
  WHILE_JOINING.map(
    ([phase, code, outcome]): Scenario => ({
      name: `close code ${code} ${phase.replaceAll("_", " ")}: ${titleOf(outcome)}`,
      timeouts: { wait: WAIT_MS },
      given: ({ simulator }) => simulator.faults.atPhase(phase, code),
      outcome,
    }),
  ),
);

/** The answer to a resume, after the network broke. */
const WHILE_RESUMING: readonly [code: number, Outcome][] = [
  [1006, "resumed"],
  [4004, "rejoined"],
  [4006, "rejoined"],
  [4009, "resumed"],
  [4011, "rejoined"],
  [4014, { ends: "closed_disconnected", closeCode: 4014 }],
  [4015, "resumed"],
  [4017, { ends: "closed_e2ee_required", closeCode: 4017 }],
  [4021, { ends: "closed_rate_limited", closeCode: 4021 }],
];

scenarios(
  WHILE_RESUMING.map(
    ([code, outcome]): Scenario => ({
      name: `close code ${code} in answer to a resume: ${titleOf(outcome)}`,
      timeouts: { wait: WAIT_MS },
      when: ({ simulator, guildId }) => {
        simulator.faults.atPhase("resuming", code);
        simulator.faults.cutSocket(guildId);
      },
      outcome,
    }),
  ),
);

/** Again and again: everything ends, with a reason. */
scenarios([
  {
    name: "a token that is refused twice ends the join",
    given: ({ simulator }) => simulator.faults.atPhase("before_ready", 4004, 100),
    outcome: { ends: "closed_authentication_failed", closeCode: 4004 },
  },
  {
    name: "a session that is refused again and again ends the join",
    given: ({ simulator }) => simulator.faults.atPhase("before_ready", 4006, 100),
    outcome: { ends: "closed_session_invalid", closeCode: 4006 },
  },
  {
    name: "a message that is refused twice ends the join",
    given: ({ simulator }) => simulator.faults.atPhase("before_ready", 4020, 100),
    outcome: { ends: "closed_bad_request", closeCode: 4020 },
  },
  {
    name: "a server that breaks every connection ends the join as a loop",
    given: ({ simulator }) => simulator.faults.atPhase("before_hello", 1006, 100),
    outcome: { ends: "reconnect_loop", closeCode: 1006 },
  },
  {
    name: "a server that refuses every encryption mode ends the join",
    given: ({ simulator }) => simulator.faults.atPhase("before_session_description", 4016, 100),
    simulator: { modes: ["aead_aes256_gcm_rtpsize"] },
    gateway: { modes: ["aead_aes256_gcm_rtpsize"] },
    outcome: { ends: "closed_unknown_encryption_mode", closeCode: 4016 },
  },
  {
    name: "a server that crashes at every resume is given up for another session",
    when: ({ simulator, guildId }) => {
      simulator.faults.atPhase("resuming", 4015, 100);
      simulator.faults.closeWith(guildId, 4015);
    },
    outcome: "rejoined",
  },
]);

function titleOf(outcome: Outcome): string {
  return typeof outcome === "string" ? outcome : `ends as ${outcome.ends}`;
}
