/** A connection between a machine that decides and parts that fail or call back in. */

import test from "ava";
import { InputQueue } from "../../ts/gateway/input-queue.ts";
import { initialState } from "../../ts/gateway/state.ts";
import type { EngineLike, FlowLike } from "../../ts/native/types.ts";
import { silentLogger } from "../../ts/support/logger.ts";
import { VoiceConnection } from "../../ts/voice/connection.ts";

const NOTHING = (): void => undefined;

function fakeEngine(): EngineLike {
  const flow = new Proxy({} as FlowLike, {
    get: (_, name) => (name === "receiver" ? undefined : NOTHING),
  });
  return {
    createFlow: () => flow,
    createStream: () => flow,
    stats: () => ({
      flows: 0,
      pacers: [],
      encoding: { complexityCap: 10, busyPermille: 0, lowered: 0, encoded: 0 },
      eventsDropped: 0,
    }),
    close: async () => undefined,
  };
}

function connect(updateVoiceState: (channelId: string | null) => boolean): VoiceConnection {
  return new VoiceConnection({
    guildId: "1",
    userId: "2",
    engine: fakeEngine(),
    machine: initialState({ insecureEndpoints: true }).config,
    tls: {},
    logger: silentLogger,
    updateVoiceState,
    forget: NOTHING,
  });
}

const CREDENTIALS = { guildId: "1", userId: "2", channelId: "3", sessionId: "s", token: "t" };

test("a listener that leaves in the middle of a step leaves after it: no retry is left behind", async (t) => {
  const connection = connect(() => true);
  const statuses: string[] = [];
  connection.on("stateChange", (status) => {
    statuses.push(status);
    if (status === "connecting") connection.leave();
  });
  connection.provide({ ...CREDENTIALS, endpoint: "ws://127.0.0.1:9" });
  t.deepEqual(statuses, ["connecting", "disconnected"]);
  t.is(connection.reason?.code, "left");
  await connection.destroy();
  t.is(connection.status, "disconnected");
});

test("a socket that cannot even be made is a failure like another", async (t) => {
  const connection = connect(() => true);
  t.notThrows(() => connection.provide({ ...CREDENTIALS, endpoint: "999.999.999.999:1" }));
  t.is(connection.status, "unconnected");
  t.is(connection.reason?.closeCode, 1006);
  await connection.destroy();
});

test("a join ends in time, and leaves", async (t) => {
  const asked: (string | null)[] = [];
  const connection = connect((channelId) => {
    asked.push(channelId);
    return true;
  });
  await t.throwsAsync(connection.join("10", { timeoutMs: 20 }), { code: "join_timeout" });
  t.deepEqual(asked, ["10", null]);
  await connection.destroy();
});

test("inputs are taken one after the other, also those that come from within", (t) => {
  const order: string[] = [];
  const queue = new InputQueue<string>((input) => {
    order.push(`${input} begins`);
    if (input === "first") queue.push("second");
    order.push(`${input} ends`);
  });
  queue.push("first");
  t.deepEqual(order, ["first begins", "first ends", "second begins", "second ends"]);
});
