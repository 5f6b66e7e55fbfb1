/** The other side of the encrypted calls of a timing test, in a process of its own: simulator, members, comings and goings. */

import { DiscordSimulator, type SimMember } from "../../ts/simulator/index.ts";

const CHANGE_EVERY_MS = 2000;
const BOT = "104694319306248192";
const tell = (message: unknown): void => {
  process.send?.(message);
};

const simulator = await DiscordSimulator.start({ daveProtocolVersion: 1, seed: 5 });
const count = Number(process.argv[2]);
const places = Array.from({ length: count }, (_, at) => ({
  guildId: `${41_771_983_423_000_000n + BigInt(at)}`,
  channelId: `${127_121_515_262_000_000n + BigInt(at)}`,
}));
const members = places.map((place) => simulator.member({ ...place, maxPackets: 50 }));
tell({ credentials: places.map((place) => simulator.admit({ ...place, userId: BOT })) });
for (const member of members) await member.ready(120_000);
tell({ ready: members.filter(({ dave }) => dave?.isReady).length });

let changes = 0;
const guests = new Map<number, SimMember>();
const change = (): void => {
  const at = (changes * 37) % count;
  changes += 1;
  const place = places[at];
  const guest = guests.get(at);
  if (guest) guest.leave();
  else if (place) guests.set(at, simulator.member({ ...place, maxPackets: 50 }));
};
let churn: NodeJS.Timeout | undefined;
process.on("message", async (message) => {
  clearInterval(churn);
  if (message === "churn") churn = setInterval(change, CHANGE_EVERY_MS);
  if (message !== "stop") return;
  // The last change may still be under way.
  await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS));
  const unopened = members.reduce((sum, { heard }) => sum + heard.stats().unopened, 0);
  const epochs = places.reduce((sum, place) => sum + simulator.dave(place).counts.commits.won, 0);
  const codes = [...new Set(simulator.problems.map(({ code }) => code))];
  tell({ changes, unopened, epochs, codes });
  await simulator.close();
  process.disconnect();
});
