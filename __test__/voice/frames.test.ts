/** Frames from JavaScript: asked ahead, in order, bounded; what fails or stalls says so and ends alone. */

import test from "ava";
import type { CadenzaError } from "../../ts/support/errors.ts";
import { FramePump } from "../../ts/voice/frame-pump.ts";
import { type OpusFrameProvider, type ProvidedFrame, providerOf } from "../../ts/voice/frames.ts";

const CAPACITY = 50;

test("a batch is asked for at once, ahead of time, and no more than the queue takes", async (t) => {
  let asked = 0;
  const bench = new Bench({ provideOpusFrame: () => frame(asked++) });
  await bench.settle();
  t.is(asked, CAPACITY);
  t.is(bench.calls, 1, "one native call for the whole batch");
  t.deepEqual(bench.log, ["speaking", "started"]);
  bench.play(40);
  bench.pump.wanted(40);
  await bench.settle();
  t.is(asked, CAPACITY + 40);
  t.deepEqual(
    bench.played.map((played) => played[0]),
    Array.from({ length: 40 }, (_, at) => at),
  );
});

test("a provider that answers with promises is batched, too, and its order is kept", async (t) => {
  let asked = 0;
  const bench = new Bench({ provideOpusFrame: async () => (asked < 30 ? frame(asked++) : null) });
  await bench.settle();
  t.is(bench.queued.length, 30);
  t.true(bench.calls <= 2, `${bench.calls} calls`);
});

test("an empty answer is silence: it is asked again, and speaking is told anew", async (t) => {
  const answers: ProvidedFrame[] = [frame(1), undefined, new Uint8Array(0), frame(2), null];
  const bench = new Bench({ provideOpusFrame: () => answers.shift() });
  await bench.until(() => bench.queued.length === 1);
  bench.play(1);
  t.false(bench.pump.drained());
  await bench.until(() => bench.queued.length === 1);
  t.deepEqual(bench.log, ["speaking", "started", "speaking"]);
  t.false(bench.log.includes("ended"), "the second frame is still to be played");
  bench.play(1);
  bench.pump.drained();
  t.is(bench.log.at(-1), "ended");
  t.is(bench.closed, 1);
});

test("an end that comes after the last frame was played ends at once", async (t) => {
  const answers: ProvidedFrame[] = [frame(1), undefined, null];
  const bench = new Bench({ provideOpusFrame: () => answers.shift() });
  await bench.until(() => bench.queued.length === 1);
  bench.play(1);
  bench.pump.drained();
  await bench.until(() => bench.log.includes("ended"));
  t.is(bench.closed, 1);
});

for (const [name, provide] of [
  [
    "throws",
    () => {
      throw new Error("disk on fire");
    },
  ],
  ["rejects", () => Promise.reject(new Error("disk on fire"))],
] as [string, () => never][]) {
  test(`a provider that ${name} is ended and says why`, async (t) => {
    const bench = new Bench({ provideOpusFrame: provide });
    await bench.until(() => bench.log.includes("ended"));
    t.is(bench.failure?.code, "provider_failed");
    t.regex(bench.failure?.message ?? "", /disk on fire/);
    t.is(bench.closed, 1);
  });
}

test("frames that cannot be Opus end the provider, those before are played", async (t) => {
  for (const bad of ["text", new Uint8Array(1276), 5, {}]) {
    const answers: unknown[] = [frame(1), bad];
    const bench = new Bench({ provideOpusFrame: () => answers.shift() as ProvidedFrame });
    await bench.until(() => bench.failure !== undefined);
    t.is(bench.failure?.code, "invalid_frame");
    t.is(bench.queued.length, 1);
    t.false(bench.log.includes("ended"));
  }
});

test("what a queue does not take is kept in order, and nothing is asked meanwhile", async (t) => {
  let asked = 0;
  const bench = new Bench({ provideOpusFrame: () => frame(asked++) }, 10);
  await bench.settle();
  t.is(asked, CAPACITY);
  for (let round = 0; round < 5; round++) {
    bench.play(10);
    bench.pump.wanted(0);
    await bench.settle();
  }
  t.deepEqual(
    bench.played.map((played) => played[0]),
    Array.from({ length: 50 }, (_, at) => at),
  );
  t.is(asked, CAPACITY);
});

test("close tells the provider once, drops what waits and ignores late answers", async (t) => {
  let answer: (frame: Uint8Array) => void = () => undefined;
  const bench = new Bench({
    provideOpusFrame: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  });
  bench.pump.close();
  bench.pump.close();
  answer(frame(1));
  await bench.settle();
  t.is(bench.closed, 1);
  t.deepEqual(bench.queued, []);
  t.deepEqual(bench.log, []);
});

test("a provider that throws on close breaks nothing", (t) => {
  const provider = {
    provideOpusFrame: () => undefined,
    close: () => {
      throw new Error("no");
    },
  };
  const pump = new FramePump(provider, { pushFrames: () => 0, stats: () => undefined }, silent);
  t.notThrows(() => pump.close());
});

test("iterables of both kinds are providers; closing returns the iterator", async (t) => {
  let returned = 0;
  async function* frames(): AsyncGenerator<Uint8Array> {
    try {
      yield frame(1);
      yield frame(2);
    } finally {
      returned += 1;
    }
  }
  const provider = providerOf(frames());
  t.deepEqual(await provider.provideOpusFrame(), frame(1));
  provider.close?.();
  await new Promise((resolve) => setImmediate(resolve));
  t.is(returned, 1);
  const array = providerOf([frame(7)]);
  t.deepEqual(array.provideOpusFrame(), frame(7));
  t.is(array.provideOpusFrame(), null);
});

const silent = {
  started: () => undefined,
  speaking: () => undefined,
  stalled: () => undefined,
  failed: () => undefined,
  ended: () => undefined,
};

/** A pump over a queue that plays when it is told to. */
class Bench {
  readonly queued: Uint8Array[] = [];
  readonly played: Uint8Array[] = [];
  readonly log: string[] = [];
  readonly pump: FramePump;
  failure: CadenzaError | undefined;
  calls = 0;
  closed = 0;

  constructor(provider: OpusFrameProvider, capacity = CAPACITY) {
    const close = (): void => {
      this.closed += 1;
    };
    const queue = {
      pushFrames: (frames: readonly Uint8Array[]) => {
        this.calls += 1;
        const taken = frames.slice(0, capacity - this.queued.length);
        this.queued.push(...taken);
        return taken.length;
      },
      stats: () => ({ queueFrames: this.queued.length }),
    };
    this.pump = new FramePump({ ...provider, close }, queue, {
      started: () => void this.log.push("started"),
      speaking: () => void this.log.push("speaking"),
      stalled: () => void this.log.push("stalled"),
      failed: (error) => {
        this.failure = error;
      },
      ended: () => void this.log.push("ended"),
    });
    this.pump.start();
  }

  play(count: number): void {
    this.played.push(...this.queued.splice(0, count));
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function frame(number: number): Uint8Array {
  return Uint8Array.of(number & 0xff, 1, 2);
}
