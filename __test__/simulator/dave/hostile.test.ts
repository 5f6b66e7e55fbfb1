/** Clients that send nonsense about end-to-end encryption, and a gateway that does, on demand. */

import test from "ava";
import { forgedKeyPackage } from "../../../ts/simulator/dave/forged.ts";
import {
  DiscordSimulator,
  HOSTILE_PROPOSALS,
  type SimulatorOptions,
} from "../../../ts/simulator/index.ts";
import { PLACE } from "../client.ts";
import { agree, allHear, DaveyClient, until } from "./davey-client.ts";

const start = (options: SimulatorOptions = {}) =>
  DiscordSimulator.start({ daveProtocolVersion: 1, ...options });

const genuine = (client: DaveyClient): Buffer => client.gave(26)[0]?.payload ?? Buffer.alloc(0);
const committed = (client: DaveyClient): Buffer => client.gave(28)[0]?.payload ?? Buffer.alloc(0);
const cut = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 5);
const longer = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(5)]);
/** A bit in the middle of a key package is in a signed part. */
const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy[200] = (copy[200] ?? 0) ^ 1;
  return copy;
};
const wrapped = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from("00010005", "hex"), bytes]);

const malformed: [string, number, (client: DaveyClient) => Buffer, string][] = [
  ["an empty key package", 26, () => Buffer.alloc(0), "dave_key_package_invalid"],
  ["a key package cut short", 26, (c) => cut(genuine(c)), "dave_key_package_invalid"],
  [
    "a key package with something behind it",
    26,
    (c) => longer(genuine(c)),
    "dave_key_package_invalid",
  ],
  ["a damaged key package", 26, (c) => flipped(genuine(c)), "dave_key_package_invalid"],
  ["a key package as an MLSMessage", 26, (c) => wrapped(genuine(c)), "dave_key_package_invalid"],
  ["a key package that was used", 26, genuine, "dave_key_package_invalid"],
  ["another user's key package", 26, () => forgedKeyPackage("42"), "dave_key_package_invalid"],
  ["a key package of noise", 26, () => Buffer.alloc(395, 0xa7), "dave_key_package_invalid"],
  ["an empty commit", 28, () => Buffer.alloc(0), "dave_commit_invalid"],
  ["a commit cut short", 28, (c) => committed(c).subarray(0, 150), "dave_commit_invalid"],
  ["a commit with a Welcome cut short", 28, (c) => cut(committed(c)), "dave_commit_invalid"],
  ["a commit with noise behind it", 28, (c) => longer(committed(c)), "dave_commit_invalid"],
  ["a commit of noise", 28, () => Buffer.alloc(2000, 0x5a), "dave_commit_invalid"],
];

for (const [what, op, payload, code] of malformed) {
  test(`${what} is closed with 4020; the others go on`, async (t) => {
    await using simulator = await start();
    const clients = await group(simulator, 3);
    const hostile = clients.find((client) => client.gave(28).length > 0);
    const rest = clients.filter((client) => client !== hostile);
    hostile?.sendBinary(op, payload(hostile));
    t.is(await hostile?.gateway.closed(), 4020);
    await until(() => agree(simulator, rest) && rest[0]?.epoch === 3, "the others");
    await allHear(rest, what);
    t.deepEqual(
      simulator.problems.map((problem) => problem.code),
      [code, "protocol_violation"].slice(0, simulator.problems.length),
    );
    t.is(simulator.problems[0]?.code as string, code);
    t.is(simulator.sessions().length, 2);
  });
}

const transitions: [string, unknown][] = [
  ["no data", null],
  ["no id", {}],
  ["an id as text", { transition_id: "1" }],
  ["a fraction", { transition_id: 1.5 }],
  ["an id below 0", { transition_id: -1 }],
  ["an id above 65,535", { transition_id: 65_536 }],
];

for (const op of [23, 31]) {
  test(`op ${op} with data that makes no sense is closed with 4020`, async (t) => {
    await using simulator = await start();
    for (const [what, d] of transitions) {
      const client = await DaveyClient.join(simulator);
      client.gateway.send(op, d);
      t.is(await client.gateway.closed(), 4020, what);
    }
    t.is(simulator.sessions().length, 0);
  });
}

test("ready for transition 0 is objected to, for an unknown one ignored", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  clients[0]?.sendJson(23, { transition_id: 0 });
  clients[0]?.sendJson(23, { transition_id: 777 });
  clients[0]?.sendJson(31, { transition_id: 777 });
  await until(() => simulator.problems.length > 0, "the objection");
  await until(() => simulator.dave(PLACE).counts.failures === 1, "op 31");
  t.deepEqual(
    simulator.problems.map(({ code }) => code),
    ["dave_ready_for_zero"],
  );
  t.true(simulator.sessions().every(({ isConnected }) => isConnected));
});

test("commits that break the rules count for nothing", async (t) => {
  await using simulator = await start();
  const { dave } = simulator.faults;
  const clients = await group(simulator, 3);
  const [one] = clients;
  dave.holdsCommits = true;
  clients.push(await DaveyClient.join(simulator));
  await until(() => simulator.dave(PLACE).waitingCommits.length === 3, "commits");
  const commit = one?.gave(28).at(-1)?.payload ?? Buffer.alloc(0);
  const otherGroup = Buffer.from(commit);
  otherGroup[5] = (otherGroup[5] ?? 0) ^ 1;
  const otherLeaf = Buffer.from(commit);
  otherLeaf.writeUInt32BE(7, 22);
  const otherRef = Buffer.from(commit);
  otherRef[40] = (otherRef[40] ?? 0) ^ 1;
  const isOver = (count: number) => () => simulator.dave(PLACE).counts.commits.invalid === count;
  const wrong: [string, Buffer][] = [
    ["another group", otherGroup],
    ["another leaf", otherLeaf],
    ["a proposal never made", otherRef],
  ];
  for (const [at, [what, bytes]] of wrong.entries()) {
    // Only the hostile one takes part in this race.
    simulator.faults.dave.holdsCommits = true;
    one?.sendBinary(28, bytes);
    await until(() => simulator.dave(PLACE).waitingCommits.length === 3, what);
    dave.preferredUserId = one?.userId;
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (at === wrong.length - 1) dave.holdsCommits = false;
  }
  await until(isOver(1), "the last of them, for one client has one commit in a race");
  await until(() => agree(simulator, clients), "another's commit");
  t.is(simulator.dave(PLACE).counts.commits.won, 3);
  t.deepEqual(
    simulator.problems.map(({ code }) => code),
    ["dave_commit_invalid"],
  );
});

test("key packages that come too fast end the session", async (t) => {
  await using simulator = await start();
  const members = [simulator.member(PLACE), simulator.member(PLACE)];
  for (const member of members) t.true(await member.ready());
  const hostile = await DaveyClient.join(simulator);
  await until(() => simulator.dave(PLACE).members.length === 3, "three");
  hostile.isAutomatic = false;
  for (let count = 0; count < 60; count++) hostile.sendKeyPackage();
  t.is(await hostile.gateway.closed(), 4020);
  const codes = () => new Set(members.map(({ dave }) => dave?.privacyCode));
  const isOver = () => simulator.dave(PLACE).members.filter(Boolean).length === 2;
  await until(() => isOver() && codes().size === 1, "one group of the others", 60_000);
  await members[0]?.speak([Buffer.from("78cc", "hex")], { tail: false });
  t.true(await members[1]?.heard.waitFor(({ packets }) => packets.length > 0));
});

test("frames of any opcode and length from a client end its own session at most", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  for (let op = 0; op < 40; op++) {
    for (const length of [0, 1, 2, 70, 5000]) {
      const hostile = await DaveyClient.join(simulator, { userId: "666", channelId: "667" });
      hostile.gateway.socket.send(Buffer.concat([Buffer.of(op), Buffer.alloc(length, op)]));
      t.true([4002, 4020].includes(await hostile.gateway.closed()), `op ${op}, ${length} bytes`);
    }
  }
  await allHear(clients, "undisturbed");
});

test("proposals that nobody may commit are sent on demand", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  for (const client of clients) client.isAutomatic = false;
  const before = clients[0]?.got(27).length ?? 0;
  for (const kind of HOSTILE_PROPOSALS) simulator.dave(PLACE).sendHostileProposal(kind);
  const all = before + HOSTILE_PROPOSALS.length;
  await until(() => clients[0]?.got(27).length === all, "op 27");
  const refused = (clients[0]?.got(27) ?? []).slice(before).map(({ payload }) => {
    try {
      clients[0]?.dave.processProposals(
        0,
        payload.subarray(1),
        clients.map((c) => c.userId),
      );
      return false;
    } catch {
      return true;
    }
  });
  // davey checks neither the sender's type nor the epoch's proposals for their kind; a bad signature it does.
  t.true(refused[HOSTILE_PROPOSALS.indexOf("bad_signature")]);
  t.true(refused[HOSTILE_PROPOSALS.indexOf("wrong_epoch")]);
  t.true(refused[HOSTILE_PROPOSALS.indexOf("unknown_user")]);
});

test("a commit of another group and a Welcome for another package lead to op 31", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  const { dave } = simulator.faults;
  dave.plan(29, "foreign", clients[0]?.userId);
  clients.push(await DaveyClient.join(simulator));
  await until(() => agree(simulator, clients) && clients[0]?.gave(31).length === 1, "the commit");
  dave.plan(30, "foreign");
  const fresh = await DaveyClient.join(simulator);
  clients.push(fresh);
  await until(() => agree(simulator, clients) && fresh.gave(31).length === 1, "the Welcome");
  t.is(simulator.dave(PLACE).counts.failures, 2);
  await allHear(clients, "all well");
});

test("an external sender that changes within a call disturbs nobody", async (t) => {
  await using simulator = await start();
  const members = [simulator.member(PLACE), simulator.member(PLACE)];
  for (const member of members) t.true(await member.ready());
  simulator.dave(PLACE).renewExternalSender();
  await members[0]?.speak([Buffer.from("78bb", "hex")], { tail: false });
  t.true(await members[1]?.heard.waitFor(({ packets }) => packets.length > 0));
});

async function group(simulator: DiscordSimulator, size: number): Promise<DaveyClient[]> {
  const clients: DaveyClient[] = [];
  while (clients.length < size) {
    clients.push(await DaveyClient.join(simulator));
    if (clients.length > 1) await until(() => agree(simulator, clients), `${clients.length}`);
  }
  return clients;
}
