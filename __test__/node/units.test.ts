/** Track ids and configuration. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import {
  decodeTrackId,
  encodeTrackId,
  readConfigFile,
  readEnvironment,
  resolveConfig,
} from "../../ts/node/index.ts";

/** A track id in the shape that other tools of this protocol write. */
const SAMPLE =
  "eyJ0aXRsZSI6ICJEdWEgTGlwYSAtIFBoeXNpY2FsIChPZmZpY2lhbCBWaWRlbykiLCAiaWRlbnRpZmllciI6ICI5SERFSGoyeXpldyIsICJ1cmwiOiAiaHR0cHM6Ly93d3cueW91dHViZS5jb20vd2F0Y2g/dj05SERFSGoyeXpldyIsICJsZW5ndGgiOiAyNDQwMDAsICJhdXRob3IiOiAiRHVhIExpcGEiLCAiYXV0aG9yX2lkIjogIlVDLUotS1pmUlY4YzEzZk9Da2hYZExpUSIsICJ0aHVtYm5haWwiOiBudWxsLCAiaXNfbGl2ZSI6IG51bGx9";

test("a track id made elsewhere decodes and encodes to the same bytes", (t) => {
  const track = decodeTrackId(SAMPLE);
  t.like(track, {
    title: "Dua Lipa - Physical (Official Video)",
    length: 244_000,
    thumbnail: null,
    is_live: null,
  });
  t.is(encodeTrackId(track), SAMPLE);
  t.deepEqual(decodeTrackId(SAMPLE.replace(/\+/g, "-").replace(/\//g, "_")), track);
});

test("text beyond ASCII is escaped and comes back", (t) => {
  const track = { ...decodeTrackId(SAMPLE), title: 'Grüße "𝄞"\n', is_live: true };
  const id = encodeTrackId(track);
  t.regex(Buffer.from(id, "base64").toString("latin1"), /^[ -~]*$/);
  t.deepEqual(decodeTrackId(id), track);
});

test("what is no track id is refused", (t) => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  for (const id of [
    "",
    "***",
    base64("x"),
    base64("[]"),
    base64("null"),
    base64('{"url":5}'),
    base64('{"url":""}'),
  ]) {
    t.throws(() => decodeTrackId(id), { code: "unknown_track" }, id);
  }
});

test("a configuration names the key and what is allowed, and never the password", (t) => {
  const good = { password: "correct-horse" };
  t.like(resolveConfig(good), {
    host: "127.0.0.1",
    port: 2333,
    allowed_folders: [],
    resume_timeout_s: 60,
  });
  const cases: [Record<string, unknown>, RegExp][] = [
    [{}, /password is missing; it takes a text of at least 8/],
    [{ password: "s3cret" }, /password takes/],
    [{ ...good, port: 70_000 }, /port takes a whole number from 0 to 65535/],
    [{ ...good, port: "2333" }, /port takes/],
    [
      { ...good, allowed_folders: ["/does/not/exist"] },
      /allowed_folders takes a list of folders that exist/,
    ],
    [{ ...good, prot: 1 }, /"prot" is not known; there are host, port/],
    [{ ...good, log_level: "loud" }, /log_level takes one of/],
    [{ ...good, host: "not an address" }, /host takes/],
  ];
  for (const [input, message] of cases) {
    const error = t.throws(() => resolveConfig(input), { code: "bad_config", message });
    t.notRegex(error?.message ?? "", /s3cret|correct-horse/);
  }
});

test("the environment and files are read with their types", (t) => {
  const environment = {
    CADENZA_PORT: "9",
    CADENZA_ALLOW_PRIVATE_HOSTS: "true",
    CADENZA_ALLOWED_FOLDERS: "/a:/b",
    OTHER: "x",
  };
  t.deepEqual(readEnvironment(environment), {
    port: 9,
    allow_private_hosts: true,
    allowed_folders: ["/a", "/b"],
  });
  const folder = mkdtempSync(join(tmpdir(), "cadenza-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "node.yaml");
  writeFileSync(file, "port: 9\npassword: correct-horse\n");
  t.deepEqual(readConfigFile(file), { port: 9, password: "correct-horse" });
  writeFileSync(file, "a: [");
  t.throws(() => readConfigFile(file), { code: "bad_config", message: /cannot be read/ });
  writeFileSync(file, "- 1");
  t.throws(() => readConfigFile(file), { code: "bad_config", message: /not a table/ });
  t.throws(() => readConfigFile(join(folder, "none")), { code: "bad_config" });
});
