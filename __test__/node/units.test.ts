/** Track ids and configuration. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { ATTEMPT_WINDOW_MS, AttemptLimit, MAX_ATTEMPTS } from "../../ts/node/attempts.ts";
import {
  CONFIG_KEYS,
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

/** Ids of Lavalink's kind; two other decoders read these as stated. */
const FRAMED_HTTP =
  "QAAAZQMACFNpbmUgNDQwAANMYWIAAAAAAAAnEAAZaHR0cHM6Ly9leGFtcGxlLm9yZy9hLm9nZwABABlodHRwczovL2V4YW1wbGUub3JnL2Eub2dnAAAABGh0dHAAA29nZwAAAAAAAAAA";
const FRAMED_PAGE =
  "QAAAgwMADO2gvO2+tSBDYWbDqQAD5ZCNAAAAAAADR9gABnh5ejEyMwABABxodHRwczovL2V4YW1wbGUub3JnL3cveHl6MTIzAQAZaHR0cHM6Ly9leGFtcGxlLm9yZy9pLmpwZwEADFVTQUJDMTIzNDU2NwAKc291bmRjbG91ZAAAAAAAAATS";

test("track ids of Lavalink's kind decode", (t) => {
  const http = {
    title: "Sine 440",
    identifier: "https://example.org/a.ogg",
    url: "https://example.org/a.ogg",
    length: 10_000,
    author: "Lab",
    author_id: null,
    thumbnail: null,
    is_live: false,
  };
  t.deepEqual(decodeTrackId(FRAMED_HTTP), http);
  t.like(decodeTrackId(FRAMED_PAGE), {
    title: "\u{1F3B5} Café",
    author: "名",
    length: 215_000,
    url: "https://example.org/w/xyz123",
    thumbnail: "https://example.org/i.jpg",
  });
  // The same track as the first and the second version write it, the former of a stream.
  const body = Buffer.from(FRAMED_HTTP, "base64");
  const upToUri = body.subarray(5, 56);
  const uri = body.subarray(56, 84);
  const rest = body.subarray(86);
  const frame = (flags: number, parts: Buffer[]): string => {
    const whole = Buffer.concat(parts);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(flags * 2 ** 30 + whole.length);
    return Buffer.concat([head, whole]).toString("base64");
  };
  t.deepEqual(decodeTrackId(frame(1, [Buffer.from([2]), upToUri, uri, rest])), http);
  const stream = Buffer.from(upToUri);
  stream.writeBigInt64BE(2n ** 63n - 1n, 15);
  stream[50] = 1;
  t.deepEqual(decodeTrackId(frame(0, [stream, rest])), { ...http, length: null, is_live: true });
});

test("damaged ids of Lavalink's kind are refused", (t) => {
  const bytes = Buffer.from(FRAMED_PAGE, "base64");
  for (let length = 1; length < bytes.length; length += 1) {
    const cut = bytes.subarray(0, length).toString("base64");
    t.throws(() => decodeTrackId(cut), { code: "unknown_track" }, String(length));
  }
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = Buffer.from(bytes);
    damaged[at] = 0xff;
    try {
      t.is(typeof decodeTrackId(damaged.toString("base64")).url, "string");
    } catch (error) {
      t.is((error as { code?: string }).code, "unknown_track");
    }
  }
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
    [{}, /password is missing \(in the file, or CADENZA_PASSWORD in the environment\)/],
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

test("the documentation has every key of the configuration, with what it takes", (t) => {
  const document = readFileSync(
    new URL("../../docs/reference/configuration.md", import.meta.url),
    "utf8",
  );
  const rows = document.split("\n").filter((line) => line.startsWith("| `"));
  const expected = Object.entries(CONFIG_KEYS).map(([name, key]) => {
    const { about, allowed, fallback } = key;
    const byDefault =
      fallback === undefined
        ? "required"
        : fallback === null
          ? "none"
          : `\`${JSON.stringify(fallback).replaceAll('"', "")}\``;
    return `| \`${name}\` | ${allowed} | ${byDefault} | ${about} |`;
  });
  t.deepEqual(rows, expected);
});

test("the example configuration names every key, and its values are the defaults", (t) => {
  const path = fileURLToPath(new URL("../../examples/cadenza.yaml", import.meta.url));
  const text = readFileSync(path, "utf8");
  for (const name of Object.keys(CONFIG_KEYS)) t.true(text.includes(`${name}:`), name);
  const config = resolveConfig(readConfigFile(path));
  for (const [name, { fallback }] of Object.entries(CONFIG_KEYS)) {
    if (fallback === undefined || name === "allowed_folders") continue;
    t.deepEqual(config[name as keyof typeof config], fallback, name);
  }
});

test("the password can lie in a file of its own", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cadenza-config-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "secret"), "correct-horse\n");
  writeFileSync(join(folder, "node.yaml"), "password_file: secret\n");
  const input = readConfigFile(join(folder, "node.yaml"));
  t.is(resolveConfig(input).password, "correct-horse");
  t.is(resolveConfig({ ...input, password: "another-one" }).password, "another-one");
  const missing = { password_file: join(folder, "none") };
  t.throws(() => resolveConfig(missing), { code: "bad_config", message: /password_file.*ENOENT/ });
  writeFileSync(join(folder, "secret"), "short\n");
  const error = t.throws(() => resolveConfig(input), { code: "bad_config" });
  t.false(error?.message.includes("short"));
});

test("an address that guesses is not listened to for a minute; this machine's own is", (t) => {
  const limit = new AttemptLimit();
  const guess = (address: string, nowMs: number): void => {
    for (let count = 0; count < MAX_ATTEMPTS; count++) limit.wrong(address, nowMs);
  };
  guess("10.0.0.1", 0);
  t.true(limit.blocks("10.0.0.1", 1000));
  t.false(limit.blocks("10.0.0.2", 1000));
  t.false(limit.blocks("10.0.0.1", ATTEMPT_WINDOW_MS));
  guess("::ffff:127.0.0.1", 0);
  t.false(limit.blocks("::ffff:127.0.0.1", 1));
  for (let other = 0; other < 10_001; other++) limit.wrong(`a${other}`, 0);
  guess("10.0.0.1", 0);
  t.true(limit.blocks("10.0.0.1", 1), "the newest is remembered");
});
