/** Length-prefixed Opus: byte for byte disgo's format, from pieces of any size, with every bad length refused. */

import { PassThrough, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import test from "ava";
import fc from "fast-check";
import {
  OpusFrameSplitter,
  OpusReader,
  opusFrameReaderStream,
} from "../../ts/voice/opus-reader.ts";
import { OpusWriter, opusFrameWriterStream } from "../../ts/voice/opus-writer.ts";

const packet = (opus: Uint8Array) => ({ sequence: 0, timestamp: 0, ssrc: 1, opus });

/** What Go's `binary.Write(w, binary.LittleEndian, uint32(len(opus)))` and `w.Write(opus)` produce. */
const GOLDEN = Buffer.from(`03000000f8fffe01000000aa00010000${"07".repeat(256)}`, "hex");
const FRAMES = [Uint8Array.of(0xf8, 0xff, 0xfe), Uint8Array.of(0xaa), new Uint8Array(256).fill(7)];

test("the writer writes what disgo's writer writes", (t) => {
  const { stream, bytes } = collector();
  const writer = new OpusWriter(stream);
  for (const frame of FRAMES) writer.receiveOpusFrame("1", packet(frame));
  t.deepEqual(bytes(), GOLDEN);
});

test("the reader reads it, as a provider and as an iterable", async (t) => {
  const reader = new OpusReader(Readable.from([GOLDEN]));
  for (const frame of FRAMES) t.deepEqual(await reader.provideOpusFrame(), frame);
  t.is(await reader.provideOpusFrame(), null);
  t.is(await reader.provideOpusFrame(), null);
  const frames: Uint8Array[] = [];
  for await (const frame of new OpusReader([GOLDEN])) frames.push(frame);
  t.deepEqual(frames, FRAMES);
});

test("pieces of any size give the same frames, and streams do the same as classes", async (t) => {
  const frame = fc.uint8Array({ minLength: 0, maxLength: 1275 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { maxLength: 8 }),
      fc.integer({ min: 1, max: 97 }),
      async (frames, size) => {
        const sent = frames.filter(({ length }) => length > 0);
        const chunks: Buffer[] = [];
        await pipeline(Readable.from(frames), opusFrameWriterStream(), async (source) => {
          for await (const chunk of source) chunks.push(chunk as Buffer);
        });
        const bytes = Buffer.concat(chunks);
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        const read: Uint8Array[] = [];
        for await (const chunk of Readable.from(pieces).pipe(opusFrameReaderStream()))
          read.push(chunk);
        t.deepEqual(
          read.map((one) => [...one]),
          sent.map((one) => [...one]),
        );
      },
    ),
    { numRuns: 40 },
  );
});

test("any bytes give frames or a typed error, and never more than one frame is kept", (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (pieces) => {
      const splitter = new OpusFrameSplitter();
      try {
        for (const piece of pieces)
          for (const frame of splitter.push(piece)) t.true(frame.length <= 1275);
        splitter.end();
      } catch (error) {
        t.regex((error as { code: string }).code, /^(frame_too_long|truncated_frame)$/);
      }
    }),
  );
});

test("an absurd length is refused before anything is allocated", async (t) => {
  for (const length of [1276, 0x7fff_ffff, 0xffff_ffff]) {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(length);
    const error = await t.throwsAsync(
      new OpusReader([bytes]).provideOpusFrame() as Promise<unknown>,
    );
    t.is((error as { code?: string } | undefined)?.code, "frame_too_long");
  }
});

test("a last frame that is cut off is an error, not a shorter frame", async (t) => {
  const reader = new OpusReader([GOLDEN.subarray(0, GOLDEN.length - 1)]);
  await reader.provideOpusFrame();
  await reader.provideOpusFrame();
  await t.throwsAsync(reader.provideOpusFrame() as Promise<unknown>, { code: "truncated_frame" });
});

test("closing a reader destroys the stream behind it", async (t) => {
  const stream = new PassThrough();
  stream.write(GOLDEN);
  const reader = new OpusReader(stream);
  await reader.provideOpusFrame();
  const closed = new Promise((resolve) => stream.once("close", resolve));
  reader.close();
  await closed;
  t.true(stream.destroyed);
});

test("a filter keeps others out, an empty frame writes nothing, a closed writer writes nothing", (t) => {
  const { stream, bytes } = collector();
  const writer = new OpusWriter(stream, { filter: (userId) => userId === "1" });
  writer.receiveOpusFrame("2", packet(Uint8Array.of(1)));
  writer.receiveOpusFrame("1", packet(new Uint8Array(0)));
  writer.receiveOpusFrame("1", packet(Uint8Array.of(9)));
  writer.cleanupUser("1");
  writer.close();
  writer.close();
  writer.receiveOpusFrame("1", packet(Uint8Array.of(9)));
  t.deepEqual(bytes(), Buffer.from("0100000009", "hex"));
  t.throws(() => new OpusWriter(stream).receiveOpusFrame("1", packet(new Uint8Array(1276))), {
    code: "invalid_frame",
  });
});

test("a slow or ended stream costs frames, which are counted, and no memory", (t) => {
  const stuck = new Writable({ write: () => undefined });
  const writer = new OpusWriter(stuck, { maxPendingBytes: 1000 });
  for (let at = 0; at < 100; at++) writer.receiveOpusFrame("1", packet(new Uint8Array(100)));
  t.true(stuck.writableLength <= 1104);
  t.true(writer.droppedFrames > 80);
  const { stream } = collector();
  stream.end();
  const late = new OpusWriter(stream);
  late.receiveOpusFrame("1", packet(Uint8Array.of(1)));
  t.is(late.droppedFrames, 1);
});

function collector(): { stream: Writable; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(chunk as Buffer);
      done();
    },
  });
  return { stream, bytes: () => Buffer.concat(chunks) };
}
