/** The two main-gateway events in every order: what belongs together is put together, what is spent is not. */

import test from "ava";
import { Membership } from "../../ts/voice/membership.ts";

const SESSION = "a".repeat(32);

function bench(send?: (channelId: string | null) => boolean) {
  const log: string[] = [];
  const membership = new Membership(
    { guildId: "1", userId: "2" },
    send ??
      ((channelId) => {
        log.push(`ask ${channelId}`);
        return true;
      }),
    {
      credentials: ({ token, channelId }) => log.push(`${token} for ${channelId}`),
      awaiting: () => log.push("awaiting"),
      serverLost: () => log.push("server lost"),
      kicked: () => log.push("kicked"),
      unavailable: () => log.push("unavailable"),
    },
  );
  return { log, membership, take: () => log.splice(0) };
}

for (const stateFirst of [true, false]) {
  test(`a join and a move, ${stateFirst ? "state" : "server"} event first`, (t) => {
    const { membership, take } = bench();
    const events = (channelId: string, token: string): void => {
      if (stateFirst) membership.onVoiceState(channelId, SESSION);
      membership.onVoiceServer(token, "host:1");
      if (!stateFirst) membership.onVoiceState(channelId, SESSION);
    };
    t.true(membership.join("10"));
    events("10", "first");
    t.deepEqual(take(), ["ask 10", "first for 10"]);
    events("11", "second");
    const expected = stateFirst
      ? ["awaiting", "second for 11"]
      : ["second for 10", "second for 11"];
    t.deepEqual(take(), expected, "the first token is never shown together with the new channel");
    t.is(membership.channelId, "11");
  });
}

test("a new session at the same channel waits for its own server", (t) => {
  const { membership, take } = bench();
  membership.join("10");
  membership.onVoiceState("10", SESSION);
  membership.onVoiceServer("first", "host:1");
  take();
  membership.onVoiceState("10", "b".repeat(32));
  t.deepEqual(take(), ["awaiting"]);
  membership.onVoiceServer("second", "host:1");
  t.deepEqual(take(), ["second for 10"]);
});

test("mute and deaf change nothing; another server alone is followed", (t) => {
  const { membership, take } = bench();
  membership.join("10");
  membership.onVoiceState("10", SESSION);
  membership.onVoiceServer("first", "host:1");
  take();
  membership.onVoiceState("10", SESSION);
  t.deepEqual(take(), []);
  membership.onVoiceServer("second", "host:2");
  t.deepEqual(take(), ["second for 10"]);
  membership.onVoiceServer("second", null);
  t.deepEqual(take(), ["server lost"]);
});

test("leave and join in one breath: the join goes out when the leave is confirmed, and survives it", (t) => {
  const { membership, take } = bench();
  membership.join("10");
  membership.onVoiceState("10", SESSION);
  membership.onVoiceServer("first", "host:1");
  membership.leave();
  take();
  t.true(membership.join("10"));
  t.deepEqual(take(), []);
  membership.onVoiceState(null, SESSION);
  t.deepEqual(take(), ["ask 10"]);
  membership.onVoiceState(null, SESSION);
  t.deepEqual(take(), [], "a late confirmation of the leave is no kick");
  membership.onVoiceState("10", SESSION);
  t.deepEqual(take(), [], "the token of the stay before is spent");
  membership.onVoiceServer("second", "host:1");
  t.deepEqual(take(), ["second for 10"]);
  membership.close();
});

test("a rejoin leaves first; a confirmation that never comes does not hold it up for ever", async (t) => {
  const { membership, log, take } = bench();
  membership.join("10");
  membership.onVoiceState("10", SESSION);
  membership.onVoiceServer("first", "host:1");
  take();
  membership.rejoin();
  t.deepEqual(take(), ["ask null"]);
  const keepAlive = setInterval(() => undefined, 1000);
  while (log.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  clearInterval(keepAlive);
  t.deepEqual(take(), ["ask 10"]);
});

test("a kick ends the stay; a main gateway that refuses the waiting join is told", (t) => {
  const answers: boolean[] = [true, true, false];
  const { membership, take } = bench(() => answers.shift() ?? false);
  membership.join("10");
  membership.onVoiceState("10", SESSION);
  membership.onVoiceState(null, SESSION);
  t.deepEqual(take(), ["kicked"]);
  t.is(membership.channelId, undefined);
  membership.onVoiceState("10", SESSION);
  membership.leave();
  membership.join("11");
  membership.onVoiceState(null, SESSION);
  t.deepEqual(take(), ["unavailable"]);
});
