/** Voice servers that do their part of end-to-end encryption otherwise, or badly: in the end everybody hears the bot. */

import test from "ava";
import type { DiscordSimulator, SimMember } from "../../ts/simulator/index.ts";
import { type Bench, channelId, openBench, tune, userId } from "./bench.ts";
import { encrypted, FRIEND, hears, music, OTHER, room } from "./encrypted-call.ts";

type DaveFaults = DiscordSimulator["faults"]["dave"];

interface Case {
  name: string;
  /** How the server behaves from the start. */
  settings?: Partial<DaveFaults>;
  /** What happens once the bot is heard, before a guest comes. */
  meanwhile?: (dave: DaveFaults) => void;
  /** How often the bot has to be added anew. Default 0. */
  recoveries?: number;
  /** Whether the guest hears the bot before it leaves again. Default true. */
  guestHears?: boolean;
}

const CASES: Case[] = [
  { name: "op 25 before op 4", settings: { externalSender: "first" } },
  { name: "op 25 at any place", settings: { externalSender: "drawn" } },
  { name: "a first group by a transition of its own", settings: { groupTransitionId: "next" } },
  { name: "transition ids that wrap", settings: { firstTransitionId: 65_535 } },
  { name: "op 29 also to those who are welcomed", settings: { announcesToPending: true } },
  { name: "Welcomes with everybody's part", settings: { sendsWholeWelcome: true } },
  { name: "proposals gathered", settings: { proposalDelayMs: 50 } },
  { name: "the bot wins every race", settings: { commitWindowMs: 100, preferredUserId: userId } },
  { name: "the bot loses every race", settings: { commitWindowMs: 100, avoidedUserId: userId } },
  { name: "op 22 before anybody is ready", settings: { executes: "early" } },
  ...[22, 25, 27, 29, 30].map((op) => ({
    name: `op ${op} comes twice`,
    meanwhile: (dave: DaveFaults) => dave.plan(op, "duplicate"),
  })),
  { name: "op 22 comes late", meanwhile: (dave) => dave.plan(22, { delayMs: 500 }, userId) },
  {
    name: "a damaged commit, Remove and Add in one message",
    meanwhile: (dave) => dave.plan(29, "corrupt", userId),
    recoveries: 1,
  },
  {
    name: "a damaged commit, Remove and Add apart",
    settings: { recovery: "separate" },
    meanwhile: (dave) => dave.plan(29, "corrupt", userId),
    recoveries: 1,
  },
  {
    name: "a commit that never came is noticed at the next",
    meanwhile: (dave) => dave.plan(29, "drop", userId),
    recoveries: 1,
    guestHears: false,
  },
];

for (const { name, settings, meanwhile, recoveries = 0, guestHears = true } of CASES) {
  test(name, async (t) => {
    await using bench = await openBench(encrypted);
    const { simulator, connection } = bench;
    Object.assign(simulator.faults.dave, settings);
    const friend = simulator.member({ ...room, userId: FRIEND });
    await connection.join(channelId);
    const play = (): unknown => connection.player.play({ kind: "file", path: tune });
    connection.player.on("trackEnd", (_, reason) => reason === "finished" && play());
    play();
    await hears(friend, 5);
    meanwhile?.(simulator.faults.dave);
    const guest = simulator.member({ ...room, userId: OTHER });
    if (guestHears) await hears(guest, 5);
    else await guest.ready(30_000);
    guest.leave();
    t.true(await settled(bench, friend), JSON.stringify(connection.encryption.stats()));
    const before = music(friend).length;
    await hears(friend, before + 10);
    t.true(music(friend).length >= before + 10);
    t.is(connection.encryption.state.privacyCode, friend.dave?.privacyCode);
    t.is(connection.encryption.stats()?.recoveries, recoveries);
    const codes = simulator.problems.map(({ code }) => code);
    t.deepEqual(
      codes.filter((code) => code.startsWith("dave")),
      [],
    );
    t.is(connection.status, "ready");
  });
}

test("the last member starts anew, told version 0 or 1, and is heard by who comes next", async (t) => {
  for (const soleMemberVersion of [0, 1] as const) {
    await using bench = await openBench(encrypted);
    const { simulator, connection } = bench;
    simulator.faults.dave.soleMemberVersion = soleMemberVersion;
    const friend = simulator.member({ ...room, userId: FRIEND });
    await connection.join(channelId);
    connection.player.play({ kind: "file", path: tune });
    await hears(friend, 5);
    friend.leave();
    await friend.heard.waitFor(() => connection.encryption.state.members.length < 2, 30_000);
    const next = simulator.member({ ...room, userId: OTHER });
    await hears(next, 20);
    t.true(music(next).length >= 20);
    t.is(connection.encryption.state.privacyCode, next.dave?.privacyCode);
  }
});

/** Resolves true when the bot and the friend alone are in one epoch and nothing is pending. */
async function settled(bench: Bench, friend: SimMember): Promise<boolean> {
  const { encryption } = bench.connection;
  const isSettled = (): boolean => {
    const { epoch, pendingTransitions, members } = bench.simulator.dave(room);
    const present = members.filter((member) => member !== undefined).length;
    const isOne = friend.dave?.epoch === epoch && encryption.state.epoch === epoch;
    return isOne && present === 2 && pendingTransitions.length === 0;
  };
  return await friend.heard.waitFor(isSettled, 30_000);
}
