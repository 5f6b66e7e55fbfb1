/** The protocol's documentation, its schema and the node say the same. */

import { readFileSync } from "node:fs";
import test from "ava";
import { EVENT_SCHEMAS } from "../../ts/node/ops/event-schemas.ts";
import type { EventMessage, LoadResult } from "../../ts/node/ops/protocol.ts";
import { OP_SCHEMAS, protocolSchema } from "../../ts/node/ops/schema.ts";
import { OP_NAMES, readCommand } from "../../ts/node/ops/table.ts";
import { eventually, GUILD, TestNode } from "./harness.ts";
import { protocolProblems, publishedSchema } from "./protocol-schema.ts";

const document = readFileSync(
  new URL("../../docs/reference/op-protocol.md", import.meta.url),
  "utf8",
);
const seed = readFileSync(new URL("../fixtures/op-protocol-seed.json", import.meta.url), "utf8");

interface Example {
  heading: string;
  message: { op: string; s?: number; d: Record<string, unknown> };
}

/** Every JSON block with the heading that it stands under. */
const EXAMPLES: Example[] = document.split(/^#{2,4} /m).flatMap((section) => {
  const [heading = ""] = section.split("\n");
  return [...section.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text = ""]) => ({
    heading,
    message: JSON.parse(text),
  }));
});
const COMMANDS = EXAMPLES.filter(({ message }) => message.op !== "event");
const EVENTS = EXAMPLES.filter(({ message }) => message.op === "event");

test("the published schema is the one that the code makes", (t) => {
  t.deepEqual(publishedSchema, JSON.parse(JSON.stringify(protocolSchema())));
});

test("every example in the documentation fits the schema", (t) => {
  t.true(EXAMPLES.length > 20);
  t.deepEqual(
    EXAMPLES.flatMap(({ message }) => protocolProblems(message)),
    [],
  );
});

test("the schema refuses what is wrong", (t) => {
  const wrong = [
    { op: "stop", d: {} },
    { op: "stop", d: { guild_id: 5 } },
    { op: "sing", d: {} },
    { op: "set_pause_state", d: { guild_id: GUILD, state: "true" } },
    { op: "event", d: { type: "done" } },
    { op: "event", d: { type: "track_end", guild_id: GUILD, track_id: "x", reason: "bored" } },
  ];
  for (const message of wrong) t.is(protocolProblems(message).length, 1, JSON.stringify(message));
});

test("every op has a section with an example, in the schema, too", (t) => {
  t.deepEqual(Object.keys(OP_SCHEMAS).sort(), [...OP_NAMES].sort());
  for (const name of OP_NAMES) {
    t.true(
      COMMANDS.some(({ heading, message }) => heading === name && message.op === name),
      name,
    );
  }
});

test("every event has a section with an example, and replayable ones a number", (t) => {
  const momentary = ["ready", "player_update", "push_wanted", "stats"];
  for (const type of Object.keys(EVENT_SCHEMAS)) {
    const example = EVENTS.find(({ heading, message }) => {
      return heading === type && message.d.type === type;
    });
    t.truthy(example, type);
    t.is(example?.message.s === undefined, momentary.includes(type), type);
  }
});

test("every example of an op is read", (t) => {
  for (const { message } of COMMANDS) {
    t.notThrows(() => readCommand(JSON.stringify(message), {}), message.op);
  }
});

test("the seed of the protocol is understood as it is", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  for (const message of JSON.parse(seed) as EventMessage[]) {
    const answer = await client.send(message.op, message.d);
    t.is(answer.type, "done", message.op);
  }
});

test("the examples, sent in their order, are carried out, and load_tracks answers as documented", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const order = ["voice_update", "play", "set_pause_state", "set_position"];
  order.push("set_filter", "set_volume", "get_player");
  const last = ["list_players", "load_tracks", "push", "push_end", "play", "stop", "destroy"];
  for (const name of [...order, ...last]) {
    const { message } = COMMANDS.find(({ message: { op } }) => op === name) as Example;
    const answer = await client.send(message.op, message.d);
    t.is(answer.type, "done", JSON.stringify(answer));
    if (name === "load_tracks" && answer.type === "done") {
      const documented = EVENTS.find(({ message: { d } }) => d.op === "load_tracks");
      t.deepEqual(answer.result, documented?.message.d.result as LoadResult);
    }
  }
});

test("what the documentation says about limits is so", async (t) => {
  const { MAX_KEPT_EVENTS } = await import("../../ts/node/event-log.ts");
  const { HELD_MS } = await import("../../ts/node/pushed-sound.ts");
  const { MAX_WAITING } = await import("../../ts/node/turns.ts");
  const { MAX_WAITING_BYTES } = await import("../../ts/node/client-socket.ts");
  const { MESSAGE_BURST, MESSAGES_PER_SECOND } = await import("../../ts/node/rate-limit.ts");
  const says = (text: string): boolean => t.true(document.includes(text), text);
  says(`| events kept for a client that comes back | ${MAX_KEPT_EVENTS.toLocaleString("en")}`);
  says(`| ops of one guild that wait for each other | ${MAX_WAITING} |`);
  says(`| sound that is pushed ahead | ${HELD_MS / 1000} s in the node`);
  says(`| bytes of events that wait for a client | ${MAX_WAITING_BYTES / 2 ** 20} MiB |`);
  says(
    `${MESSAGE_BURST.toLocaleString("en")} at once, ${MESSAGES_PER_SECOND.toLocaleString("en")}`,
  );
});

test("events are numbered without gaps", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const numbers: number[] = [];
  client.socket.on("message", (data) => {
    const { s } = JSON.parse(String(data)) as EventMessage;
    if (s !== undefined) numbers.push(s);
  });
  for (let count = 0; count < 10; count++) client.raw("nonsense");
  await eventually(() => numbers.length === 10);
  t.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});
