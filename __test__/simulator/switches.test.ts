/** Every fault by its name: what it sets, what it does, and which values it refuses. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "ava";
import {
  DiscordSimulator,
  type Dispatch,
  readSwitch,
  SWITCH_GROUPS,
} from "../../ts/simulator/index.ts";
import { BOT, CHANNEL, Client, FRIEND, GUILD, PLACE } from "./client.ts";

const GCM = "aead_aes256_gcm_rtpsize";
const place = { ...PLACE, userId: BOT };
const THERE = "127121515262115999";

/** Switches that set a property: where it is, and its value. */
const settings: [string, string, unknown][] = [
  ["extension=two_words", "forwarded.extension", "two_words"],
  ["csrcs=3", "forwarded.csrcs", 3],
  ["padding=0.5", "forwarded.paddingShare", 0.5],
  ["wrong-padding=0.25", "forwarded.wrongPaddingShare", 0.25],
  ["marker=1", "forwarded.markerShare", 1],
  ["foreign-types=0.5", "forwarded.foreignShare", 0.5],
  ["counter=little_endian", "forwarded.counter", "little_endian"],
  ["first-counter=4294967290", "forwarded.firstCounter", 4_294_967_290],
  ["rtcp=5000", "forwarded.rtcpIntervalMs", 5000],
  ["loss=0.02", "link.lossShare", 0.02],
  ["loss-burst=4", "link.lossBurst", 4],
  ["duplicate=0.1", "link.duplicateShare", 0.1],
  ["swap=0.1", "link.swapShare", 0.1],
  ["corrupt=0.1", "link.corruptShare", 0.1],
  ["delay=40", "link.delayMs", 40],
  ["jitter=30", "link.jitterMs", 30],
  ["hello-delay=20", "helloDelayMs", 20],
  ["hello-twice", "helloTwice", true],
  ["interval-float", "heartbeatIntervalFloat", true],
  ["acks-withheld", "heartbeatAcksWithheld", true],
  ["acks-withheld=off", "heartbeatAcksWithheld", false],
  ["acks-wrong=on", "heartbeatNonceWrong", true],
  ["first-sequence=65534", "firstSequence", 65_534],
  ["unnumbered=0.5", "unnumberedShare", 0.5],
  ["extra-keys", "extraKeys", true],
  ["joins-ignored", "joinsIgnored", true],
  ["server-event-first", "serverEventFirst", true],
  ["events-doubled", "eventsDoubled", true],
  ["close-before-events", "closesBeforeEvents", true],
  ["dave-timeout=100", "dave.transitionTimeoutMs", 100],
  ["dave-execute=never", "dave.executes", "never"],
  ["dave-first-transition=65535", "dave.firstTransitionId", 65_535],
  ["dave-group-transition=next", "dave.groupTransitionId", "next"],
  ["dave-external-sender=last", "dave.externalSender", "last"],
  ["dave-proposal-delay=50", "dave.proposalDelayMs", 50],
  ["dave-recovery=separate", "dave.recovery", "separate"],
  ["dave-sole-version=0", "dave.soleMemberVersion", 0],
  ["dave-commit-window=300", "dave.commitWindowMs", 300],
  ["dave-preferred=42", "dave.preferredUserId", "42"],
  ["dave-avoided=43", "dave.avoidedUserId", "43"],
  ["dave-hold-commits", "dave.holdsCommits", true],
  ["dave-old-commits", "dave.oldCommitsFirst", true],
  ["dave-announce-pending", "dave.announcesToPending", true],
  ["dave-whole-welcome", "dave.sendsWholeWelcome", true],
];

/** Switches that act at once on a connected client; `check` sees what came of it. */
const actions: [string, (client: Client, events: Dispatch[]) => boolean][] = [
  ["broken-rtcp", ({ media }) => media.received.some((d) => d[1] === 200)],
  ["garbage=stranger", ({ media }) => media.received.some((d) => d.length === 1500)],
  ["garbage=server", ({ media }) => media.received.some((d) => d.length === 1500)],
  ["request-heartbeat", ({ gateway }) => gateway.messages.some(({ op }) => op === 3)],
  ["unknown-ops", ({ gateway }) => gateway.binary.length === 4],
  ["long-frame=90000", ({ gateway }) => gateway.messages.some(({ raw }) => raw.length === 90_000)],
  ["close=4015", ({ gateway }) => gateway.closeCode === 4015],
  ["cut", ({ gateway }) => gateway.closeCode === 1006],
  ["rekey", ({ gateway }) => gateway.messages.filter(({ op }) => op === 4).length === 2],
  ["endpoint-null", (_, events) => events.some(({ d }) => d.endpoint === null)],
  ["server-move", (_, events) => events.some(({ t }) => t === "VOICE_SERVER_UPDATE")],
  ["new-token", (_, events) => events.some(({ t }) => t === "VOICE_SERVER_UPDATE")],
  ["reconnect", ({ gateway }) => gateway.closeCode === 4006],
  ["kick", (_, events) => events.some(({ d }) => d.channel_id === null)],
  [`move=${THERE}`, (_, events) => events.some(({ d }) => d.channel_id === THERE)],
];

for (const [setting, path, value] of settings) {
  test(`${setting} sets ${path}`, async (t) => {
    await using simulator = await DiscordSimulator.start();
    await readSwitch(setting)(simulator, place);
    const found = path
      .split(".")
      .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], simulator.faults);
    t.is(found, value);
  });
}

for (const [setting, check] of actions) {
  test(`${setting} acts at once`, async (t) => {
    await using simulator = await DiscordSimulator.start();
    const client = await new Client(simulator.admit(place)).connect(GCM);
    const events: Dispatch[] = [];
    simulator.mainGateway(BOT).on("dispatch", (dispatch) => events.push(dispatch));
    // The frames of some of these are not JSON messages, which this client would not take.
    await readSwitch(setting)(simulator, place);
    const deadline = Date.now() + 20_000;
    while (!check(client, events) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.true(check(client, events));
  });
}

test("freeze falls silent; hostile-frames reach the client", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const client = await new Client(simulator.admit(place)).connect(GCM);
  let frames = 0;
  client.gateway.socket.removeAllListeners("message");
  client.gateway.socket.on("message", () => {
    frames += 1;
  });
  await readSwitch("hostile-frames")(simulator, place);
  const deadline = Date.now() + 20_000;
  while (frames <= 200 && Date.now() < deadline) await new Promise((r) => setTimeout(r, 10));
  t.true(frames > 200);
  await readSwitch("freeze")(simulator, place);
  // What was sent before is still on its way.
  let before = -1;
  while (before !== frames) {
    before = frames;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  client.gateway.send(3, { t: 2, seq_ack: -1 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.is(frames, before);
});

test("close-at, refuse-resume, ready-for-resume, user-limit and discovery lie in wait", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const { faults } = simulator;
  await readSwitch("close-at=before_ready:4006")(simulator, place);
  t.is(faults.takePhase("before_ready"), 4006);
  await readSwitch("refuse-resume=1")(simulator, place);
  t.deepEqual(faults.takeResume(), { close: 4006 });
  await readSwitch("ready-for-resume=1")(simulator, place);
  t.is(faults.takeResume(), "ready");
  await readSwitch("discovery=drop")(simulator, place);
  await readSwitch("discovery-delay=70")(simulator, place);
  t.deepEqual([faults.takeDiscovery(), faults.takeDiscovery()], ["drop", { delayMs: 70 }]);
  await readSwitch("user-limit=1")(simulator, place);
  simulator.admit(place);
  t.throws(() => simulator.admit({ ...PLACE, userId: FRIEND }), { code: "channel_full" });
});

test("end-to-end encryption is moved by name", async (t) => {
  await using simulator = await DiscordSimulator.start({ daveProtocolVersion: 1 });
  const members = [simulator.member(PLACE), simulator.member(PLACE)];
  for (const member of members) t.true(await member.ready());
  const [alice] = members;
  const is = (condition: () => boolean) => alice?.heard.waitFor(condition, 20_000);
  await readSwitch("dave-downgrade")(simulator, place);
  t.true(await is(() => members.every(({ dave }) => dave?.version === 0)));
  await readSwitch("dave-upgrade")(simulator, place);
  t.true(await is(() => members.every(({ dave }) => dave?.version === 1)));
  const commits = simulator.dave(PLACE).counts.commits.won;
  await readSwitch("dave-restart")(simulator, place);
  t.true(await is(() => simulator.dave(PLACE).counts.commits.won === commits + 1));
  await readSwitch("dave-new-sender")(simulator, place);
  await readSwitch("dave-hostile=bad_signature")(simulator, place);
  t.true(await is(() => members.some(({ dave }) => (dave?.counts.ignored ?? 0) > 0)));
  const { dave } = simulator.faults;
  await readSwitch("dave-plan=drop:27")(simulator, place);
  await readSwitch("dave-late=22:500")(simulator, place);
  const to = { guildId: GUILD, channelId: CHANNEL, toUserId: BOT };
  t.is(dave.fateOf({ ...to, op: 27 }), "drop");
  t.deepEqual(dave.fateOf({ ...to, op: 22 }), { delayMs: 500 });
});

test("names that do not exist and values that do not fit are refused", (t) => {
  const wrong = [
    ...["", "nonsense", "loss", "loss=", "loss=1.5", "loss=-1", "loss=x", "csrcs=16", "csrcs=1.5"],
    ...["cut=1", "hello-twice=maybe", "close=99", "close=5000", "close-at=never:4006"],
    ...["close-at=connected", "close-at=connected:4006:1", "extension=three", "delay=99999999999"],
    ...["dave-plan=drop", "dave-plan=drop:99", "dave-execute=", "move="],
  ];
  for (const setting of wrong) {
    t.throws(() => readSwitch(setting), { code: "invalid_argument" }, setting);
  }
});

test("every switch is tried here and listed by cadenza simulate --help", async (t) => {
  const names = SWITCH_GROUPS.flatMap(({ switches }) => switches.map(({ name }) => name));
  t.is(new Set(names).size, names.length);
  const main = fileURLToPath(new URL("../../ts/cli/main.ts", import.meta.url));
  const help = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, ["--import=tsx", main, "simulate", "--help"], (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
  for (const name of names) t.regex(help, new RegExp(`^  ${name}(=|\\s)`, "m"), name);
  const tried = [...settings.map(([setting]) => setting), ...actions.map(([setting]) => setting)];
  const elsewhere = [
    ...["freeze", "hostile-frames", "close-at", "refuse-resume", "ready-for-resume", "user-limit"],
    ...["discovery", "discovery-delay", "dave-downgrade", "dave-upgrade", "dave-restart"],
    ...["dave-new-sender", "dave-hostile", "dave-plan", "dave-late"],
  ];
  const known = new Set([...tried.map((setting) => setting.split("=")[0]), ...elsewhere]);
  t.deepEqual(
    names.filter((name) => !known.has(name)),
    [],
  );
});
