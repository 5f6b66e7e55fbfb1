/** The parts of the command line that need no process of their own. */

import test from "ava";
import { checkFacts, checkReport } from "../../ts/cli/doctor/checks.ts";
import { type Facts, parseAes, parseCpuMax, parseLimit } from "../../ts/cli/doctor/facts.ts";
import { readNumber, readTime } from "../../ts/cli/numbers.ts";
import { capacity, type Measurement } from "../../ts/cli/self-test/self-test.ts";
import { painter } from "../../ts/cli/style.ts";

const FACTS: Facts = {
  platform: "linux",
  arch: "x64",
  nodeVersion: "22.12.0",
  cores: 8,
  coreLimit: undefined,
  aes: true,
  openFiles: 65_536,
  realtimePriority: 0,
  clockSource: "tsc",
};
const MEASURED: Measurement = {
  calls: 100,
  packets: 10_000,
  late: 0,
  p50Ms: 0.05,
  p99Ms: 0.4,
  maxMs: 2,
  cpuUsPerCallSecond: 250,
  pacerLoad: 0.02,
};

test("times and numbers are read, and nothing else", (t) => {
  t.is(readTime("--start", "90"), 90_000);
  t.is(readTime("--start", "1:30.5"), 90_500);
  t.is(readTime("--start", "1:02:03"), 3_723_000);
  for (const text of ["", "-1", "1:2:3:4", "1e3", "0x10", ":5", "5:"]) {
    t.throws(() => readTime("--start", text), { code: "bad_config" }, text);
  }
  t.is(readNumber("--calls", "12", 0, 20), 12);
  for (const text of ["", "21", "-1", "1e1", "NaN", " 5"]) {
    t.throws(() => readNumber("--calls", text, 0, 20), { code: "bad_config" }, text);
  }
});

test("colours are for terminals, unless NO_COLOR is set", (t) => {
  t.is(painter({ isTTY: true }, {})("bad", "x"), "\u001b[31mx\u001b[0m");
  t.is(painter({ isTTY: true }, { NO_COLOR: "1" })("bad", "x"), "x");
  t.is(painter({}, {})("bad", "x"), "x");
});

test("what the system says is read, and what it does not say is not guessed", (t) => {
  t.is(parseCpuMax("150000 100000\n"), 1.5);
  t.is(parseCpuMax("max 100000\n"), undefined);
  t.is(parseCpuMax(undefined), undefined);
  t.true(parseAes("model name : x\nflags\t\t: fpu aes avx\n"));
  t.false(parseAes("flags\t\t: fpu vaes avx\n"));
  t.true(parseAes("Features\t: fp asimd aes\n"));
  t.is(parseAes(""), undefined);
  const limits =
    "Limit                     Soft Limit           Hard Limit           Units\n" +
    "Max open files            1024                 524288               files\n" +
    "Max realtime priority     unlimited            0\n";
  t.is(parseLimit(limits, "Max open files"), 1024);
  t.is(parseLimit(limits, "Max realtime priority"), Number.POSITIVE_INFINITY);
  t.is(parseLimit(limits, "Max msgqueue"), undefined);
});

test("a good machine gives no warning; each thing that is wrong gives one", (t) => {
  const bad = (facts: Partial<Facts>): string[] =>
    checkFacts({ ...FACTS, ...facts })
      .filter(({ verdict }) => verdict === "warn" || verdict === "fail")
      .map(({ name }) => name);
  t.deepEqual(bad({}), []);
  t.deepEqual(bad({ nodeVersion: "20.18.1" }), ["node"]);
  t.deepEqual(bad({ nodeVersion: "18.20.0" }), ["node"]);
  t.deepEqual(bad({ coreLimit: 0.5 }), ["cores"]);
  t.deepEqual(bad({ aes: false }), ["aes"]);
  t.deepEqual(bad({ openFiles: 1024 }), ["files"]);
  t.deepEqual(bad({ clockSource: "hpet" }), ["clock"]);
  t.deepEqual(bad({ aes: undefined, openFiles: undefined, clockSource: undefined }), []);
});

test("the capacity is bounded by the machine and by a sending thread", (t) => {
  t.is(capacity(MEASURED, 2), 3500);
  t.is(capacity({ ...MEASURED, pacerLoad: 0.0005 }, 2), 5600);
  t.is(capacity({ ...MEASURED, pacerLoad: 0.0005 }, 0.5), 1400);
});

test("late packets are a warning, no packets a failure", (t) => {
  const verdict = (measured: Partial<Measurement>) =>
    checkReport({ passthrough: { ...MEASURED, ...measured }, transcoding: undefined }, 2)[0]
      ?.verdict;
  t.is(verdict({}), "ok");
  t.is(verdict({ late: 100 }), "warn");
  t.is(verdict({ p99Ms: 30 }), "warn");
  t.is(verdict({ packets: 0 }), "fail");
});
