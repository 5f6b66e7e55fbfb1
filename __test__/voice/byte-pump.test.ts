/** Streams of bytes: handed over in order, whole, no faster than they are taken; failures say so, nothing is left open. */

import { PassThrough, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import test from "ava";
import fc from "fast-check";
import type { CadenzaError } from "../../ts/support/errors.ts";
import { BytePump, type Bytes } from "../../ts/voice/byte-pump.ts";

/** A queue that takes so many bytes at a time, and more only when it is emptied. */
function bench(source: Bytes, room: number) {
  const taken: number[] = [];
  const errors: CadenzaError[] = [];
  let free = room;
  let ended = 0;
  const queue = {
    pushBytes: (bytes: Uint8Array): number => {
      const count = Math.min(bytes.length, free);
      taken.push(...bytes.subarray(0, count));
      free -= count;
      return count;
    },
    endPush: () => {
      ended += 1;
    },
  };
  const pump = new BytePump(source, queue, (error) => errors.push(error));
  const drain = async (): Promise<void> => {
    for (let turn = 0; ended === 0 && turn < 10_000; turn += 1) {
      free = room;
      pump.wanted();
      await delay(0);
    }
  };
  return { pump, taken, errors, drain, ended: () => ended, free: () => free };
}

test("every byte arrives, in order, whatever the sizes of chunks and queue", async (t) => {
  const chunk = fc.uint8Array({ maxLength: 40 });
  const cases = fc.asyncProperty(fc.array(chunk), fc.integer({ min: 1, max: 64 }), async (a, b) => {
    const { taken, drain, ended, errors } = bench(a, b);
    await drain();
    t.deepEqual(
      taken,
      a.flatMap((bytes) => [...bytes]),
    );
    t.is(ended(), 1);
    t.deepEqual(errors, []);
  });
  await fc.assert(cases, { numRuns: 30 });
});

test("no more is read than there is room for, and one chunk beyond", async (t) => {
  let asked = 0;
  function* endless(): Generator<Uint8Array> {
    for (;;) {
      asked += 1;
      yield new Uint8Array(10);
    }
  }
  const { pump, taken } = bench(endless(), 95);
  pump.wanted();
  await delay(20);
  pump.wanted();
  await delay(20);
  t.is(taken.length, 95);
  t.is(asked, 10);
  pump.close();
});

test("a stream that fails says why, and what came before is kept", async (t) => {
  const stream = Readable.from(
    (async function* () {
      yield Uint8Array.of(1, 2);
      throw new Error("disk on fire");
    })(),
  );
  const { drain, taken, errors } = bench(stream, 100);
  await drain();
  t.deepEqual(taken, [1, 2]);
  t.is(errors[0]?.code, "provider_failed");
  t.regex(errors[0]?.message ?? "", /disk on fire/);
});

test("chunks that are no bytes are refused", async (t) => {
  for (const chunk of ["text", 5, null, [1, 2], new Uint16Array(2)]) {
    const { drain, errors } = bench([chunk] as unknown as Bytes, 100);
    await drain();
    t.deepEqual(
      errors.map(({ code }) => code),
      ["invalid_chunk"],
    );
  }
});

test("closing destroys a Node stream that waits, and returns a generator", async (t) => {
  const waiting = new PassThrough();
  const first = bench(waiting, 100);
  first.pump.wanted();
  await delay(0);
  first.pump.close();
  first.pump.close();
  t.true(waiting.destroyed);
  let returned = false;
  function* generator(): Generator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(10);
    } finally {
      returned = true;
    }
  }
  const second = bench(generator(), 15);
  second.pump.wanted();
  await delay(0);
  second.pump.close();
  t.true(returned);
  t.is(second.ended(), 0);
});
