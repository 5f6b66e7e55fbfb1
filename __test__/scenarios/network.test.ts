/** Scenarios: the voice server and the network misbehave, over WebSocket and UDP, while the bot joins or plays. */

import { type Scenario, scenarios } from "./scenario.ts";

/** Discovery. */
scenarios([
  ...(
    [
      ["the first discovery reply is lost", ["drop"]],
      ["two discovery replies are lost", ["drop", "drop"]],
      ["the discovery reply comes twice", ["duplicate"]],
      ["the discovery reply is cut short", ["short"]],
      ["the discovery reply names another SSRC", ["wrong_ssrc"]],
      ["the discovery reply has another type", ["wrong_type"]],
      ["the discovery reply comes late", [{ delayMs: 300 }]],
      [
        "discovery replies come late and out of order",
        [{ delayMs: 1500 }, "drop", { delayMs: 10 }],
      ],
    ] as const
  ).map(
    ([name, faults]): Scenario => ({
      name,
      given: ({ simulator }) => simulator.faults.planDiscovery(...faults),
      outcome: "joined",
    }),
  ),
  {
    name: "no discovery reply ever comes: ends with a hint at UDP",
    timeouts: { discovery: 150 },
    given: ({ simulator }) => simulator.faults.dropDiscovery(1000),
    outcome: { ends: "reconnect_loop" },
    also: ({ connection }) =>
      /UDP/.test(connection.reason?.message ?? "") ? [] : ["nothing is said about UDP"],
  },
]);

/** The WebSocket. */
scenarios([
  {
    name: "the network breaks and a resume is refused",
    when: ({ simulator, guildId }) => {
      simulator.faults.refuseResume();
      simulator.faults.cutSocket(guildId);
    },
    outcome: "rejoined",
  },
  {
    name: "a resume is answered by Ready: the new session is played into",
    when: ({ simulator, guildId }) => {
      simulator.faults.readyInsteadOfResumed();
      simulator.faults.cutSocket(guildId);
    },
    // The heartbeat that goes out together with the Resume still acknowledges the old numbering.
    allows: ["seq_ack_wrong"],
    outcome: "rejoined",
  },
  {
    name: "the network breaks three times in a row",
    when: async (bench) => {
      for (let time = 0; time < 2; time += 1) {
        bench.simulator.faults.cutSocket(bench.guildId);
        await bench.until(() => bench.connection.status === "resuming");
        await bench.reached("ready");
      }
      bench.simulator.faults.cutSocket(bench.guildId);
    },
    outcome: "resumed",
  },
  {
    name: "a zombie socket, open but dead, is replaced",
    simulator: { heartbeatIntervalMs: 400 },
    when: ({ simulator, guildId }) => simulator.faults.freeze(guildId),
    outcome: "resumed",
  },
  {
    name: "heartbeats are not acknowledged",
    simulator: { heartbeatIntervalMs: 400 },
    when: async (bench) => {
      bench.simulator.faults.withholdHeartbeatAcks();
      await bench.until(() => bench.connection.status === "resuming");
      bench.simulator.faults.withholdHeartbeatAcks(false);
    },
    outcome: "resumed",
  },
  {
    name: "Hello comes late",
    given: ({ simulator }) => {
      simulator.faults.helloDelayMs = 300;
    },
    outcome: "joined",
  },
  {
    name: "Hello never comes: dialled again and again, then ends",
    timeouts: { answer: 50 },
    given: ({ simulator }) => {
      simulator.faults.helloDelayMs = 3_600_000;
    },
    outcome: { ends: "reconnect_loop" },
  },
  {
    name: "Hello comes twice",
    given: ({ simulator }) => {
      simulator.faults.helloTwice = true;
    },
    outcome: "joined",
  },
  {
    name: "the heartbeat interval has a decimal point",
    given: ({ simulator }) => {
      simulator.faults.heartbeatIntervalFloat = true;
    },
    outcome: "joined",
  },
  {
    name: "messages are numbered from 65,534 on and resumed over the wrap",
    given: ({ simulator }) => {
      simulator.faults.firstSequence = 65_534;
    },
    when: ({ simulator, guildId, channelId }) => {
      for (let member = 0; member < 5; member += 1) simulator.member({ guildId, channelId });
      simulator.faults.cutSocket(guildId);
    },
    outcome: "resumed",
  },
  {
    name: "some messages have no number",
    given: ({ simulator }) => {
      simulator.faults.unnumberedShare = 0.5;
    },
    when: ({ simulator, guildId, channelId }) => {
      for (let member = 0; member < 5; member += 1) simulator.member({ guildId, channelId });
      simulator.faults.cutSocket(guildId);
    },
    outcome: "resumed",
  },
  {
    name: "every frame has unknown keys",
    given: ({ simulator }) => {
      simulator.faults.extraKeys = true;
    },
    outcome: "joined",
  },
  {
    name: "unknown opcodes, null data, binary frames of 0 to 2 bytes",
    when: ({ simulator, guildId }) => simulator.faults.sendUnknownOps(guildId),
    outcome: "undisturbed",
    also: ({ connection }) => (connection.gateway.badFrames > 0 ? [] : ["none was counted"]),
  },
  {
    name: "a frame of 8 MiB breaks the socket alone",
    when: ({ simulator, guildId }) => simulator.faults.sendLongFrame(guildId, 8 * 1024 * 1024),
    outcome: "resumed",
  },
  {
    name: "the server asks for a heartbeat",
    when: ({ simulator, guildId }) => simulator.faults.requestHeartbeat(guildId),
    outcome: "undisturbed",
  },
  {
    name: "an acknowledgement with a foreign nonce starts nothing",
    simulator: { heartbeatIntervalMs: 2000 },
    given: ({ simulator }) => {
      simulator.faults.heartbeatNonceWrong = true;
    },
    when: () => undefined,
    outcome: "undisturbed",
  },
  {
    name: "a second session description with a new key is played on with",
    when: ({ simulator, guildId }) => simulator.faults.rekey(guildId),
    outcome: "undisturbed",
  },
]);

/** UDP while it plays. */
scenarios([
  {
    name: "datagrams of absurd lengths from the server",
    when: ({ simulator, guildId }) => simulator.faults.sendGarbage(guildId),
    outcome: "undisturbed",
  },
  {
    name: "datagrams of absurd lengths from a stranger",
    when: ({ simulator, guildId }) => simulator.faults.sendGarbage(guildId, "stranger"),
    outcome: "undisturbed",
  },
  {
    name: "RTCP, whole and broken",
    when: ({ simulator, guildId }) => {
      simulator.faults.sendRtcp(guildId);
      simulator.faults.sendRtcp(guildId, { isBroken: true });
    },
    outcome: "undisturbed",
  },
]);
