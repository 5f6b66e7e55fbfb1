/** One player for many connections: who listens, who speaks, and who is let go. */

import test from "ava";
import type { StreamLike } from "../../ts/native/stream.ts";
import type { EngineLike, FlowEvent } from "../../ts/native/types.ts";
import type { VoiceConnection } from "../../ts/voice/connection.ts";
import { SharedPlayer } from "../../ts/voice/shared-player.ts";

class FakeStream {
  readonly calls: string[] = [];
  emit: (event: FlowEvent) => void = () => undefined;
  play = (): void => void this.calls.push("play");
  stop = (): void => void this.calls.push("stop");
  close = (): void => void this.calls.push("close");
  setPaused = (): void => undefined;
  stats = (): undefined => undefined;
}

class FakeConnection {
  readonly subscriptions: unknown[] = [];
  readonly spoken: number[] = [];
  readonly gateway = { setSpeaking: (flags: number): void => void this.spoken.push(flags) };
  readonly listeners = new Set<() => void>();
  readonly starts = new Set<() => void>();
  stopped = 0;
  leader: unknown;
  readonly player = {
    stop: () => {
      this.stopped += 1;
    },
    paused: false,
    follow: (leader: unknown) => {
      this.leader = leader;
    },
    on: (_: string, listener: () => void) => void this.starts.add(listener),
    off: (_: string, listener: () => void) => void this.starts.delete(listener),
  };
  subscribe = (stream: unknown): void => void this.subscriptions.push(stream);
  on = (_: string, listener: () => void): void => void this.listeners.add(listener);
  off = (_: string, listener: () => void): void => void this.listeners.delete(listener);
}

function make() {
  const stream = new FakeStream();
  const engine = {
    createStream: (onEvent: (event: FlowEvent) => void) => {
      stream.emit = onEvent;
      return stream as unknown as StreamLike;
    },
  };
  const shared = new SharedPlayer(engine as unknown as EngineLike);
  const connect = () => {
    const fake = new FakeConnection();
    return { fake, connection: fake as unknown as VoiceConnection };
  };
  return { stream, shared, connect };
}

test("what plays is told to every connection, also to those that come later", (t) => {
  const { stream, shared, connect } = make();
  const [early, late] = [connect(), connect()];
  shared.add(early.connection);
  shared.add(early.connection);
  t.deepEqual(early.fake.subscriptions, [stream]);
  t.deepEqual(early.fake.spoken, []);
  const track = shared.player.play({ kind: "file", path: "a.opus" });
  t.deepEqual(early.fake.spoken, [1]);
  shared.add(late.connection);
  t.deepEqual(late.fake.spoken, [1]);
  const ended: unknown[] = [];
  shared.player.on("trackEnd", (...args) => ended.push(args));
  stream.emit({ type: "track_ended", track, reason: "finished" });
  stream.emit({ type: "drained" });
  t.deepEqual(ended, [[track, "finished"]]);
  t.deepEqual(early.fake.spoken, [1], "connections fall silent by themselves");
  early.fake.player.paused = true;
  shared.player.play({ kind: "file", path: "b.opus" });
  t.deepEqual([early.fake.spoken, late.fake.spoken], [[1], [1, 1]], "who pauses says nothing");
  t.is(early.fake.leader, shared.player);
});

test("who is removed or destroyed is minded no longer", (t) => {
  const { shared, connect } = make();
  const [removed, destroyed, kept] = [connect(), connect(), connect()];
  for (const { connection } of [removed, destroyed, kept]) shared.add(connection);
  shared.remove(removed.connection);
  shared.remove(removed.connection);
  t.deepEqual(removed.fake.subscriptions.slice(1), [undefined]);
  t.is(removed.fake.listeners.size, 0);
  for (const listener of destroyed.fake.listeners) listener();
  t.deepEqual(shared.connections, [kept.connection]);
  shared.player.play({ kind: "file", path: "a.opus" });
  t.deepEqual([removed.fake.spoken, destroyed.fake.spoken, kept.fake.spoken], [[], [], [1]]);
});

test("a connection whose own player starts something is let go, and can be added again", (t) => {
  const { stream, shared, connect } = make();
  const { fake, connection } = connect();
  shared.add(connection);
  t.is(fake.stopped, 1, "what it played makes way");
  for (const listener of fake.starts) listener();
  t.deepEqual(shared.connections, []);
  t.deepEqual([fake.starts.size, fake.listeners.size], [0, 0]);
  shared.add(connection);
  t.deepEqual(fake.subscriptions, [stream, stream]);
});

test("a connection listens to one shared player at a time", (t) => {
  const [first, second] = [make(), make()];
  const { fake, connection } = first.connect();
  first.shared.add(connection);
  second.shared.add(connection);
  t.deepEqual([first.shared.connections, second.shared.connections], [[], [connection]]);
  first.shared.remove(connection);
  t.deepEqual(fake.subscriptions, [first.stream, second.stream], "the first has no say any more");
  second.shared.remove(connection);
  t.is(fake.subscriptions.at(-1), undefined);
});

test("close stops everything once", (t) => {
  const { stream, shared, connect } = make();
  const { fake, connection } = connect();
  shared.add(connection);
  shared.player.play({ kind: "file", path: "a.opus" });
  shared.close();
  shared.close();
  t.deepEqual(stream.calls, ["play", "stop", "close"]);
  t.is(fake.listeners.size, 0);
  shared.add(connection);
  t.is(fake.subscriptions.length, 1);
});
