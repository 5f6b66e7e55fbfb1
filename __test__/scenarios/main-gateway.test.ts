/** Scenarios: what comes over the main gateway, before a join, in the middle of the sound, and in any order. */

import type { Dispatch } from "../../ts/simulator/index.ts";
import { type Bench, tune } from "../voice/bench.ts";
import { type Scenario, scenarios } from "./scenario.ts";

const OTHER_CHANNEL = "5";

/** Joining. */
scenarios([
  ...[8, 4].flatMap((version) =>
    [false, true].map(
      (serverFirst): Scenario => ({
        name: `join with gateway version ${version}, ${serverFirst ? "server" : "state"} event first`,
        simulator: { gatewayVersions: [version as 4 | 8] },
        gateway: { version: version as 4 | 8 },
        given: ({ simulator }) => {
          simulator.faults.serverEventFirst = serverFirst;
        },
        outcome: "joined",
      }),
    ),
  ),
  {
    name: "join with every event doubled: one session",
    given: ({ simulator }) => {
      simulator.faults.eventsDoubled = true;
    },
    outcome: "joined",
    also: ({ simulator }) => {
      const { length } = simulator.sessions();
      return length === 1 ? [] : [`${length} sessions`];
    },
  },
  {
    name: "join a full channel: ends with a hint",
    timeouts: { credentials: 200 },
    given: ({ simulator, guildId, channelId }) => {
      simulator.guild(guildId).setUserLimit(channelId, 1);
      simulator.member({ guildId, channelId });
    },
    outcome: { ends: "no_credentials" },
    also: ({ connection }) =>
      /full/.test(connection.reason?.message ?? "") ? [] : ["nothing is said about a full channel"],
  },
  {
    name: "join without an answer: ends in time",
    timeouts: { credentials: 200 },
    given: ({ simulator }) => {
      simulator.faults.joinsIgnored = true;
    },
    outcome: { ends: "no_credentials" },
  },
  {
    name: "join where the endpoint is lost at first: waits for the next one",
    given: ({ simulator, guildId, mainGateway }) => {
      simulator.guild(guildId).endpoint = null;
      mainGateway.on("dispatch", ({ t, d }) => {
        if (t !== "VOICE_SERVER_UPDATE" || d.endpoint !== null) return;
        setTimeout(() => void simulator.faults.moveServer(guildId, { closeCode: null }), 100);
      });
    },
    outcome: "joined",
  },
  {
    name: "join where the endpoint stays lost: ends",
    timeouts: { wait: 100 },
    given: ({ simulator, guildId }) => {
      simulator.guild(guildId).endpoint = null;
    },
    outcome: { ends: "server_lost" },
  },
  ...[
    "",
    "voice.example/path",
    "user@voice.example:443",
    "voice.example:0",
    "voice.example:99999",
  ].map(
    (endpoint): Scenario => ({
      name: `join where the endpoint is ${JSON.stringify(endpoint)}: ends`,
      given: ({ simulator, guildId }) => {
        simulator.guild(guildId).endpoint = endpoint;
      },
      outcome: { ends: "invalid_endpoint" },
    }),
  ),
]);

let again = (): void => undefined;

/** Moves, kicks and servers that change while the bot plays. */
scenarios([
  ...[false, true].flatMap((serverFirst) =>
    [false, true].map(
      (closedFirst): Scenario => ({
        name: `moved by an admin, ${serverFirst ? "server" : "state"} event first, closed ${closedFirst ? "before" : "after"} the events`,
        when: (bench) => {
          bench.simulator.faults.serverEventFirst = serverFirst;
          bench.simulator.faults.closesBeforeEvents = closedFirst;
          return follows(bench, () =>
            bench.simulator.guild(bench.guildId).move(bench.userId, OTHER_CHANNEL),
          );
        },
        outcome: "moved",
      }),
    ),
  ),
  {
    name: "joins another channel of its own will",
    when: (bench) =>
      follows(bench, () => void bench.connection.join(OTHER_CHANNEL).catch(() => undefined)),
    outcome: "moved",
  },
  {
    name: "joins the channel it is in: nothing happens",
    when: ({ connection, channelId }) => connection.join(channelId),
    outcome: "undisturbed",
  },
  {
    name: "kicked: ends",
    when: ({ simulator, guildId, userId }) => simulator.guild(guildId).kick(userId),
    outcome: { ends: "kicked" },
  },
  {
    name: "kicked, the socket closed first: ends",
    when: ({ simulator, guildId, userId }) => {
      simulator.faults.closesBeforeEvents = true;
      simulator.guild(guildId).kick(userId);
    },
    outcome: { ends: "kicked" },
  },
  {
    name: "leaves: ends",
    when: ({ connection }) => connection.leave(),
    outcome: { ends: "left" },
  },
  {
    name: "leaves and joins in one breath",
    when: async ({ connection, channelId }) => {
      connection.leave();
      await connection.join(channelId);
      connection.player.play({ kind: "file", path: tune });
    },
    outcome: "rejoined",
  },
  {
    name: "muted, deafened, suppressed by an admin: the connection stays",
    when: ({ simulator, guildId, userId }) => {
      const guild = simulator.guild(guildId);
      guild.moderate(userId, { deaf: true });
      guild.moderate(userId, { deaf: false });
    },
    outcome: "undisturbed",
  },
  {
    name: "the same server and state once more: ignored",
    given: ({ mainGateway }) => {
      const seen: Dispatch[] = [];
      mainGateway.on("dispatch", (dispatch) => seen.push(dispatch));
      again = () => {
        for (const dispatch of seen.splice(0)) mainGateway.deliver(dispatch);
      };
    },
    when: () => again(),
    outcome: "undisturbed",
  },
  {
    name: "a new token at the same server is followed",
    when: ({ simulator, guildId }) => simulator.faults.renewTokens(guildId),
    outcome: "rejoined",
  },
  ...[4014, 4022, 1001, 1006, null].map(
    (closeCode): Scenario => ({
      name: `the server moves, ${closeCode === null ? "the old one stays open" : `the old one closes with ${closeCode}`}`,
      when: ({ simulator, guildId }) => simulator.faults.moveServer(guildId, { closeCode }),
      outcome: "rejoined",
    }),
  ),
  ...[4014, 4022, 1001, 1006].map(
    (code): Scenario => ({
      name: `the server closes with ${code}, the next is named a little later`,
      when: ({ simulator, guildId }) => {
        simulator.faults.refuseResume(10, 4011);
        simulator.faults.closeWith(guildId, code);
        setTimeout(() => void simulator.faults.moveServer(guildId, { closeCode: null }), 300);
      },
      outcome: "rejoined",
    }),
  ),
  {
    name: "the endpoint is lost, the next is named a little later",
    when: async (bench) => {
      bench.simulator.faults.endpointNull(bench.guildId);
      await bench.reached("unconnected");
      await bench.simulator.faults.moveServer(bench.guildId, { closeCode: null });
    },
    outcome: "rejoined",
  },
  {
    name: "the endpoint is lost for good: ends",
    timeouts: { wait: 100 },
    when: ({ simulator, guildId }) => simulator.faults.endpointNull(guildId),
    outcome: { ends: "server_lost" },
  },
  {
    name: "the main gateway identifies anew: a new session is asked for",
    when: ({ mainGateway }) => mainGateway.reidentify(),
    outcome: "rejoined",
  },
  {
    name: "the main gateway takes nothing more when a new session is needed: ends",
    timeouts: { credentials: 200 },
    when: ({ simulator, guildId }) => {
      simulator.faults.joinsIgnored = true;
      simulator.faults.closeWith(guildId, 4006);
    },
    outcome: { ends: "no_credentials" },
  },
]);

/** Carries out a move and waits until the other channel hears the bot. */
async function follows(bench: Bench, move: () => void): Promise<void> {
  const { simulator, guildId } = bench;
  const other = simulator.listen({ guildId, channelId: OTHER_CHANNEL });
  move();
  if (!(await other.waitFor(({ packets }) => packets.length >= 15, 60_000))) {
    throw new Error("the other channel hears nothing");
  }
  const [problem] = other.problems;
  if (problem) throw new Error(`${problem.code}: ${problem.message}`);
  const id = bench.connection.channelId;
  if (id !== OTHER_CHANNEL) throw new Error(`the connection says it is in ${id}`);
}
