/** Whose stream an SSRC is: kept right over joins, leaves, several SSRCs of one user, and hostile numbers of them. */

import test from "ava";
import type { ServerMessage } from "../../ts/gateway/index.ts";
import { SsrcMap } from "../../ts/voice/ssrc-map.ts";

const speaking = (userId: string, ssrc: number): ServerMessage => ({
  kind: "speaking",
  userId,
  ssrc,
  speaking: 1,
});
const left = (userId: string): ServerMessage => ({ kind: "client_disconnect", userId });

test("a user who leaves takes every SSRC along, and nobody else's", (t) => {
  const map = new SsrcMap();
  for (const [user, ssrc] of [
    ["1", 10],
    ["1", 11],
    ["2", 20],
    ["1", 12],
  ] as const) {
    map.handle(speaking(user, ssrc));
  }
  t.deepEqual(map.ssrcsOf("1"), [10, 11, 12]);
  t.is(map.handle(left("1")), "1");
  t.deepEqual(map.ssrcsOf("1"), []);
  t.deepEqual(
    [10, 11, 12, 20].map((ssrc) => map.userOf(ssrc)),
    [undefined, undefined, undefined, "2"],
  );
});

test("an SSRC that is announced for another user changes its owner", (t) => {
  const map = new SsrcMap();
  map.handle(speaking("1", 10));
  map.handle(speaking("2", 10));
  t.is(map.userOf(10), "2");
  map.handle(left("1"));
  t.is(map.userOf(10), "2");
});

test("video messages name audio streams, too; zero and nonsense are ignored", (t) => {
  const map = new SsrcMap();
  const video = (d: unknown): ServerMessage => ({ kind: "other", op: 12, d });
  map.handle(video({ user_id: "1", audio_ssrc: 10, video_ssrc: 0 }));
  for (const d of [
    { user_id: "2", audio_ssrc: 0 },
    { user_id: 3, audio_ssrc: 30 },
    { user_id: "4", audio_ssrc: "40" },
    { audio_ssrc: 50 },
    null,
    [],
    "text",
  ]) {
    map.handle(video(d));
  }
  t.is(map.userOf(10), "1");
  t.deepEqual(
    [0, 30, 40, 50].map((ssrc) => map.userOf(ssrc)),
    [undefined, undefined, undefined, undefined],
  );
});

test("a server that announces streams without end makes the oldest forgotten", (t) => {
  const map = new SsrcMap();
  for (let ssrc = 1; ssrc <= 10_000; ssrc += 1) map.handle(speaking("1", ssrc));
  t.is(map.ssrcsOf("1").length, 4096);
  t.is(map.userOf(1), undefined);
  t.is(map.userOf(10_000), "1");
});

test("a sink is told of every stream and every user who goes", (t) => {
  const told: string[] = [];
  const map = new SsrcMap({
    mapSsrc: (ssrc, userId) => told.push(`${ssrc} is ${userId}`),
    unmapUser: (userId) => told.push(`${userId} left`),
  });
  map.handle(speaking("1", 10));
  map.handle(speaking("1", 10));
  map.handle(left("1"));
  map.handle(left("9"));
  t.deepEqual(told, ["10 is 1", "1 left", "9 left"]);
});
