/** Joins, leaves and races in an end-to-end encrypted channel, seen by clients with @snazzah/davey. */

import test from "ava";
import { DiscordSimulator, type SimulatorOptions } from "../../../ts/simulator/index.ts";
import { CHANNEL, PLACE } from "../client.ts";
import { untimed } from "../untimed.ts";
import { agree, allHear, DaveyClient, until } from "./davey-client.ts";

const start = (options: SimulatorOptions = {}) =>
  DiscordSimulator.start({ daveProtocolVersion: 1, ...options });

test("who is alone gets the external sender and nothing to commit", async (t) => {
  await using simulator = await start();
  const alone = await DaveyClient.join(simulator);
  await until(() => alone.got(25).length === 1 && alone.gave(26).length === 1, "op 25 and 26");
  t.is((await alone.gateway.message(4)).d.dave_protocol_version as unknown, 1);
  t.deepEqual(
    [27, 29, 30, 21, 22, 24].map((op) => alone.got(op).length),
    [0, 0, 0, 0, 0, 0],
  );
  t.is(simulator.dave(PLACE).epoch, 0);
  await alone.close();
});

for (const winner of [0, 1]) {
  test(`two found a group; the commit of number ${winner} is taken`, async (t) => {
    await using simulator = await start();
    const { dave } = simulator.faults;
    dave.holdsCommits = true;
    const one = await DaveyClient.join(simulator);
    const two = await DaveyClient.join(simulator);
    const clients = [one, two];
    await until(() => simulator.dave(PLACE).waitingCommits.length === 2, "both commits");
    dave.preferredUserId = clients[winner]?.userId;
    dave.holdsCommits = false;
    await until(() => agree(simulator, clients), "one group");
    const [first, second] = winner === 0 ? [one, two] : [two, one];
    t.deepEqual(simulator.dave(PLACE).members, [first.userId, second.userId]);
    t.is(first.got(29).length, 1);
    t.is(second.got(30).length, 1);
    t.is(second.got(29).length, 0, "who is welcomed is not told of the commit");
    for (const client of clients) {
      t.deepEqual(client.executed, [0]);
      t.deepEqual(
        [22, 23].map((op) => client.got(op).length + client.gave(op).length),
        [0, 0],
      );
    }
    await allHear(clients, "hello");
    t.deepEqual(simulator.dave(PLACE).counts.commits, {
      won: 1,
      lost: 1,
      incomplete: 0,
      invalid: 0,
    });
    t.deepEqual(untimed(simulator.problems), []);
  });
}

test("three pending clients make one group; everybody gets the Adds of all others", async (t) => {
  await using simulator = await start();
  const { dave } = simulator.faults;
  dave.holdsCommits = true;
  const clients = [
    await DaveyClient.join(simulator),
    await DaveyClient.join(simulator),
    await DaveyClient.join(simulator),
  ];
  const [one, two, three] = clients;
  // davey leaves out the Welcome for an Add of an earlier message: only the last to come can win.
  const all = () => simulator.dave(PLACE).waitingCommits.length === 3 && one?.gave(28).length === 2;
  await until(all, "the commits");
  dave.preferredUserId = three?.userId;
  dave.holdsCommits = false;
  await until(() => agree(simulator, clients), "one group");
  t.deepEqual(simulator.dave(PLACE).members[0], three?.userId);
  t.is(two?.got(27).length, 2);
  await allHear(clients, "three");
});

test("a third joins a call of two; keys are switched when all are ready", async (t) => {
  await using simulator = await start();
  const one = await DaveyClient.join(simulator);
  const two = await DaveyClient.join(simulator);
  await until(() => agree(simulator, [one, two]), "two");
  one.confirms = false;
  const three = await DaveyClient.join(simulator);
  await until(() => three.gave(23).length === 1 && two.gave(23).length === 1, "op 23");
  const [id] = simulator.dave(PLACE).pendingTransitions;
  t.true((id ?? 0) > 0);
  t.deepEqual(
    [one, two, three].map((client) => client.got(22).length),
    [0, 0, 0],
  );
  await until(() => one.got(29).length === 2, "op 29 at the first");
  one.sendJson(23, { transition_id: id });
  const all = [one, two, three];
  await until(() => all.every(({ executed }) => executed.at(-1) === id), "op 22");
  t.true(agree(simulator, all));
  t.deepEqual(
    all.map(({ executed }) => executed.at(-1)),
    [id, id, id],
  );
  t.is(simulator.dave(PLACE).counts.timeouts, 0);
  await allHear([one, two, three], "three");
  t.deepEqual(untimed(simulator.problems), []);
});

test("a member leaves; the commit without it has a path", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 3);
  const [one, two, three] = clients;
  await two?.close();
  const left = [one, three].filter((client) => client !== undefined);
  await until(() => agree(simulator, left) && left[0]?.epoch === 3, "a group of two");
  t.deepEqual(left[0]?.dave.getUserIds().sort(), left.map(({ userId }) => userId).sort());
  t.true((left[0]?.got(29).at(-1)?.payload.length ?? 0) > 400, "a commit with an update path");
  t.is(left[0]?.got(13).length, 1);
  await allHear(left, "without him");
  t.deepEqual(untimed(simulator.problems), []);
});

test("who comes after the founder left sits on leaf 0", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 3);
  const founder = simulator.dave(PLACE).members[0];
  const rest = clients.filter(({ userId }) => userId !== founder);
  await clients.find(({ userId }) => userId === founder)?.close();
  await until(() => agree(simulator, rest) && rest[0]?.epoch === 3, "two");
  t.is(simulator.dave(PLACE).members[0], undefined);
  const fresh = await DaveyClient.join(simulator);
  await until(() => agree(simulator, [...rest, fresh]), "three");
  t.is(simulator.dave(PLACE).members[0], fresh.userId);
  t.is(fresh.dave.ownLeafIndex, 0);
  await allHear([...rest, fresh], "back");
});

for (const version of [1, 0] as const) {
  test(`the last member starts over; op 21 names version ${version}`, async (t) => {
    await using simulator = await start();
    simulator.faults.dave.soleMemberVersion = version;
    const [one, two] = await group(simulator, 2);
    await two?.close();
    await until(() => (one?.gave(26).length ?? 0) === 2, "a second key package");
    t.deepEqual(
      one?.got(24).map(({ d }) => d),
      [{ protocol_version: 1, epoch: 1 }],
    );
    t.deepEqual(
      one?.got(21).map(({ d }) => d),
      [{ protocol_version: version, transition_id: 0 }],
    );
    t.is(simulator.dave(PLACE).epoch, 0);
    const three = await DaveyClient.join(simulator);
    const clients = [one, three].filter((client) => client !== undefined);
    await until(() => agree(simulator, clients), "a group again");
    t.is(simulator.dave(PLACE).epoch, 1);
    await allHear(clients, "refilled");
    t.deepEqual(untimed(simulator.problems), []);
  });
}

test("ten joins and leaves; after each everybody hears everybody", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  const codes = new Set<string>();
  for (let change = 0; change < 10; change++) {
    if (change % 2 === 0) clients.push(await DaveyClient.join(simulator));
    else await clients.splice(change % 3, 1)[0]?.close();
    await until(() => agree(simulator, clients), `change ${change}`);
    await allHear(clients, `change ${change}`);
    codes.add(clients[0]?.dave.voicePrivacyCode ?? "");
  }
  t.is(codes.size, 10);
  t.is(simulator.dave(PLACE).counts.commits.invalid, 0);
  t.is(simulator.dave(PLACE).counts.failures, 0);
  t.deepEqual(untimed(simulator.problems), []);
});

test("proposals that come together go out in one message", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 3);
  simulator.faults.dave.proposalDelayMs = 3000;
  const before = clients[0]?.got(27).length ?? 0;
  const leaving = clients.pop();
  const [fresh] = await Promise.all([DaveyClient.join(simulator), leaving?.close()]);
  clients.push(fresh);
  await until(() => agree(simulator, clients) && fresh.isInGroup, "the next epoch");
  t.is((clients[0]?.got(27).length ?? 0) - before, 1);
  await allHear(clients, "together");
});

test("an Add is taken back when its user leaves first", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  const { dave } = simulator.faults;
  dave.holdsCommits = true;
  const gone = await DaveyClient.join(simulator);
  await until(() => simulator.dave(PLACE).waitingCommits.length === 2, "commits");
  const proposals = clients[0]?.got(27).length ?? 0;
  await gone.close();
  await until(() => (clients[0]?.got(27).length ?? 0) > proposals, "op 27");
  t.is(clients[0]?.got(27).at(-1)?.payload[0], 1, "a revoke");
  dave.holdsCommits = false;
  t.is(simulator.dave(PLACE).epoch, 1, "the commit for the user who left was not taken");
  clients.push(await DaveyClient.join(simulator));
  await until(() => agree(simulator, clients), "three");
  t.deepEqual(clients[0]?.dave.getUserIds().sort(), clients.map(({ userId }) => userId).sort());
  t.deepEqual(untimed(simulator.problems), []);
});

test("a commit without a proposal that came meanwhile loses", async (t) => {
  await using simulator = await start();
  const members = Array.from({ length: 3 }, () => simulator.member(PLACE));
  for (const member of members) t.true(await member.ready());
  const settled = () => simulator.dave(PLACE).pendingTransitions.length === 0;
  await until(() => settled() && simulator.dave(PLACE).members.length === 3, "three");
  const { dave } = simulator.faults;
  dave.holdsCommits = true;
  const [one, two] = [simulator.member(PLACE), simulator.member(PLACE)];
  await until(() => members.every((m) => (m.dave?.counts.commits ?? 0) >= 2), "commits for both");
  dave.holdsCommits = false;
  t.true(await one.ready());
  t.true(await two.ready());
  const codes = new Set([...members, one, two].map((member) => member.dave?.privacyCode));
  await until(() => new Set([...members, one, two].map((m) => m.dave?.epoch)).size === 1, "one");
  t.true(codes.size >= 1);
  t.deepEqual(untimed(simulator.problems), []);
});

test("a user who comes back on a new connection is removed and added", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 3);
  const former = clients.pop();
  former?.gateway.socket.terminate();
  const again = await DaveyClient.join(simulator, { userId: former?.userId ?? "" });
  clients.push(again);
  await until(() => agree(simulator, clients), "three again");
  t.deepEqual(again.dave.getUserIds().sort(), clients.map(({ userId }) => userId).sort());
  await allHear(clients, "again");
});

test("a move to another channel is another group", async (t) => {
  await using simulator = await start();
  const there = "127121515262115999";
  const clients = await group(simulator, 2);
  const others = [
    await DaveyClient.join(simulator, { channelId: there }),
    await DaveyClient.join(simulator, { channelId: there }),
  ];
  await until(() => agree(simulator, others), "a group there");
  simulator.guild(PLACE.guildId).move(clients[1]?.userId ?? "", there);
  t.is(await clients[1]?.gateway.closed(), 4014);
  const moved = await DaveyClient.join(simulator, {
    userId: clients[1]?.userId ?? "",
    channelId: there,
  });
  await until(() => agree(simulator, [...others, moved]), "three there");
  await until(() => clients[0]?.got(24).length === 1, "the other is alone");
  t.not(CHANNEL, there);
  await allHear([...others, moved], "moved");
});

async function group(simulator: DiscordSimulator, size: number): Promise<DaveyClient[]> {
  const clients: DaveyClient[] = [];
  while (clients.length < size) {
    clients.push(await DaveyClient.join(simulator));
    if (clients.length > 1) await until(() => agree(simulator, clients), `${clients.length}`);
  }
  return clients;
}
