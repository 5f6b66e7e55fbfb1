/** What goes wrong in an end-to-end encrypted channel: bad commits and Welcomes, lost messages, resumes, versions. */

import test from "ava";
import { DiscordSimulator, type SimulatorOptions } from "../../../ts/simulator/index.ts";
import { PLACE } from "../client.ts";
import { untimed } from "../untimed.ts";
import { agree, allHear, DaveyClient, until } from "./davey-client.ts";

const start = (options: SimulatorOptions = {}) =>
  DiscordSimulator.start({ daveProtocolVersion: 1, ...options });

for (const recovery of ["together", "separate"] as const) {
  test(`a damaged commit: op 31, then Remove and Add ${recovery}`, async (t) => {
    await using simulator = await start();
    const { dave } = simulator.faults;
    dave.recovery = recovery;
    const clients = await group(simulator, 3);
    const victim = clients[2];
    dave.plan(29, "corrupt", victim?.userId);
    const proposals = clients[0]?.got(27).length ?? 0;
    clients.push(await DaveyClient.join(simulator));
    await until(() => agree(simulator, clients) && victim?.gave(31).length === 1, "recovery");
    t.is(simulator.dave(PLACE).counts.failures, 1);
    const added = (clients[0]?.got(27).length ?? 0) - proposals;
    t.is(added, recovery === "together" ? 2 : 3);
    await allHear(clients, "recovered");
  });
}

test("a damaged Welcome: the newcomer is removed and added again", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  simulator.faults.dave.plan(30, "corrupt");
  const fresh = await DaveyClient.join(simulator);
  clients.push(fresh);
  await until(() => agree(simulator, clients), "recovery");
  t.is(fresh.gave(31).length, 1);
  t.is(fresh.gave(26).length, 2);
  await allHear(clients, "welcome");
  t.deepEqual(untimed(simulator.problems), []);
});

test("when every member has lost the group, it begins anew", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  simulator.faults.dave.plan(29, "corrupt", clients[0]?.userId);
  simulator.faults.dave.plan(29, "corrupt", clients[1]?.userId);
  simulator.faults.dave.plan(30, "corrupt");
  clients.push(await DaveyClient.join(simulator));
  await until(() => agree(simulator, clients), "a new group", 40_000);
  t.is(simulator.dave(PLACE).counts.failures, 3);
  await allHear(clients, "anew");
});

test("who never confirms is not waited for longer than the time allowed", async (t) => {
  await using simulator = await start();
  simulator.faults.dave.transitionTimeoutMs = 200;
  const clients = await group(simulator, 2);
  const [first] = clients;
  if (first) first.confirms = false;
  clients.push(await DaveyClient.join(simulator));
  await until(() => clients.every(({ executed }) => executed.at(-1) === 1), "op 22");
  t.is(simulator.dave(PLACE).counts.timeouts, 1);
  t.is(first?.gave(23).length, 0);
});

test("op 22 at once, or never", async (t) => {
  await using simulator = await start();
  const { dave } = simulator.faults;
  const clients = await group(simulator, 2);
  dave.executes = "early";
  clients.push(await DaveyClient.join(simulator));
  await until(() => clients.every(({ executed }) => executed.at(-1) === 1), "op 22");
  const order = clients[0]?.inbound.map(({ op }) => op).filter((op) => op === 29 || op === 22);
  t.deepEqual(order?.slice(-2), [29, 22]);
  dave.executes = "never";
  dave.transitionTimeoutMs = 1;
  clients.push(await DaveyClient.join(simulator));
  await until(() => clients.every((client) => client.gave(23).length > 0), "op 23");
  await until(() => clients.every(({ epoch }) => epoch === 3), "the epoch");
  t.deepEqual(simulator.dave(PLACE).pendingTransitions, [2]);
  t.true(clients.every(({ executed }) => !executed.includes(2)));
});

test("messages are lost, doubled, delayed and replaced on demand", async (t) => {
  await using simulator = await start();
  const { dave } = simulator.faults;
  const clients = await group(simulator, 2);
  const [one, two] = clients;
  dave.plan(27, "duplicate", one?.userId);
  dave.plan(27, { delayMs: 50 }, two?.userId);
  const proposals = one?.got(27).length ?? 0;
  const three = await DaveyClient.join(simulator);
  await until(() => three.isInGroup && two?.got(29).length !== 0, "the third");
  t.is((one?.got(27).length ?? 0) - proposals, 2);
  dave.intercept = ({ op, toUserId }) =>
    op === 27 && toUserId === three.userId ? { payload: Buffer.of(9, 0) } : undefined;
  const replaced = () => three.got(27).at(-1)?.payload.equals(Buffer.of(9, 0)) === true;
  const four = await DaveyClient.join(simulator);
  await until(() => four.isInGroup && replaced(), "the fourth");
  dave.intercept = undefined;
  dave.plan(22, "drop", one?.userId);
  t.is(one?.got(22).length, one?.got(22).length);
});

for (const [when, first, last] of [
  ["first", 25, 4],
  ["last", 4, 25],
] as const) {
  test(`the external sender comes ${when}`, async (t) => {
    await using simulator = await start();
    simulator.faults.dave.externalSender = when;
    const clients = await group(simulator, 2);
    for (const client of clients) {
      const order = client.inbound.map(({ op }) => op).filter((op) => op === 4 || op === 25);
      t.deepEqual(order, [first, last]);
    }
    await allHear(clients, when);
  });
}

test("binary messages are numbered with the others, and replayed on a resume", async (t) => {
  await using simulator = await start();
  simulator.faults.firstSequence = 65_530;
  const clients = await group(simulator, 3);
  const [one] = clients;
  const numbers = one?.inbound.flatMap(({ seq }) => seq ?? []) ?? [];
  t.deepEqual(
    numbers,
    numbers.map((_, at) => (65_530 + at) & 0xffff),
  );
  const acknowledged = one?.seqAck ?? -1;
  one?.gateway.socket.terminate();
  await until(() => simulator.sessions().some(({ isConnected }) => !isConnected), "the cut");
  clients.push(await DaveyClient.join(simulator));
  await until(() => clients[1]?.epoch === 3 || clients[2]?.epoch === 3, "the next epoch");
  await one?.resume(acknowledged);
  await until(() => agree(simulator, clients), "the resumed client follows");
  t.true(one?.gave(26).length === 1, "the group is kept");
  const all = one?.inbound.flatMap(({ seq }) => seq ?? []) ?? [];
  t.deepEqual(
    all,
    all.map((_, at) => (65_530 + at) & 0xffff),
  );
  await allHear(clients, "resumed");
  t.deepEqual(untimed(simulator.problems), []);
});

test("a downgrade and an upgrade under way", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 3);
  const room = simulator.dave(PLACE);
  room.downgrade();
  await until(() => clients.every(({ inForce }) => inForce === 0), "version 0");
  t.deepEqual(clients[0]?.got(21).at(-1)?.d.protocol_version, 0);
  await allHear(clients, "in clear");
  const late = await DaveyClient.join(simulator);
  clients.push(late);
  t.is((await late.gateway.message(4)).d.dave_protocol_version as unknown, 0);
  t.is(late.got(25).length, 0);
  room.upgrade();
  t.is(room.version, 1);
  await until(
    () => agree(simulator, clients) && clients.every((c) => c.inForce === 1),
    "version 1",
  );
  t.true((clients[0]?.executed.at(-1) ?? 0) > 0, "an upgrade has a transition of its own");
  t.is(late.got(25).length, 1);
  await allHear(clients, "encrypted again");
  t.deepEqual(untimed(simulator.problems), []);
});

test("a stage channel has version 0 and takes everybody", async (t) => {
  await using simulator = await start();
  simulator.guild(PLACE.guildId).setStage(PLACE.channelId);
  const clients = [await DaveyClient.join(simulator)];
  const old = new DaveyClient(simulator);
  old.daveVersion = 0;
  await old.connect("aead_aes256_gcm_rtpsize");
  clients.push(old);
  t.true(clients.every(({ inForce }) => inForce === 0));
  t.true(clients.every((client) => client.got(25).length === 0));
  await allHear(clients, "stage");
  t.deepEqual(untimed(simulator.problems), []);
});

test("a client without encryption is closed with 4017 before Ready", async (t) => {
  await using simulator = await start();
  const old = new DaveyClient(simulator);
  old.daveVersion = 0;
  const error = await t.throwsAsync(old.identify());
  t.regex(String(error), /4017/);
  t.is(old.gateway.closeCode, 4017);
  t.deepEqual(
    old.inbound.map(({ op }) => op),
    [8],
  );
  t.is(simulator.sessions().length, 0);
  t.throws(() => simulator.member({ ...PLACE, dave: false }), { code: "dave_required" });
});

test("where encryption is not required, one client without it brings the call down and up again", async (t) => {
  await using simulator = await start({ daveRequired: false });
  const clients = await group(simulator, 2);
  const old = new DaveyClient(simulator);
  old.daveVersion = 0;
  await old.connect("aead_aes256_gcm_rtpsize");
  await until(() => clients.every(({ inForce }) => inForce === 0), "version 0");
  await allHear([...clients, old], "in clear");
  await old.close();
  await until(
    () => agree(simulator, clients) && clients.every((c) => c.inForce === 1),
    "version 1",
  );
  await allHear(clients, "encrypted again");
  t.deepEqual(untimed(simulator.problems), []);
});

test("audio in clear is objected to, and nonces that repeat", async (t) => {
  await using simulator = await start();
  const [one] = await group(simulator, 2);
  const opus = Buffer.from("7801020304", "hex");
  const again = one?.dave.encryptOpus(opus) ?? opus;
  one?.sendDatagram(one.seal(again));
  one?.sendDatagram(one.seal(Buffer.from("f8fffe", "hex")));
  one?.sendDatagram(one.seal(opus));
  one?.sendDatagram(one.seal(again));
  await until(() => simulator.problems.length === 2, "two problems");
  t.deepEqual(
    simulator.problems.map(({ code }) => code),
    ["dave_plaintext", "dave_nonce_order"],
  );
});

test("a new epoch may begin its nonces anew, and frames of the old one still open", async (t) => {
  await using simulator = await start();
  const clients = await group(simulator, 2);
  const [one, two] = clients;
  await allHear(clients, "before");
  const early = one?.dave.encryptOpus(Buffer.from("78aa", "hex")) ?? Buffer.alloc(0);
  clients.push(await DaveyClient.join(simulator));
  await until(() => agree(simulator, clients), "three");
  one?.sendDatagram(one.seal(early));
  const isHeard = () => two?.heard.some(({ opus }) => opus.toString("hex") === "78aa") === true;
  await until(isHeard, "the frame of the former epoch");
  await allHear(clients, "after");
  const codes = simulator.problems.map(({ code }) => code);
  t.deepEqual(
    codes.filter((code) => code.startsWith("dave")),
    [],
  );
});

async function group(simulator: DiscordSimulator, size: number): Promise<DaveyClient[]> {
  const clients: DaveyClient[] = [];
  while (clients.length < size) {
    clients.push(await DaveyClient.join(simulator));
    if (clients.length > 1) await until(() => agree(simulator, clients), `${clients.length}`);
  }
  return clients;
}
