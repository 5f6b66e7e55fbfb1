/** Resolvers: functions, a service over HTTP, a fake yt-dlp; bounded in time and number, and what they found is kept. */

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { decodeTrackId, type Resolver } from "../../ts/node/index.ts";
import { OpError } from "../../ts/node/ops/fields.ts";
import { HttpResolver, MAX_ANSWER_BYTES } from "../../ts/node/resolvers/http-resolver.ts";
import { Lane, MAX_WAITING_CALLS } from "../../ts/node/resolvers/lane.ts";
import { Resolvers } from "../../ts/node/resolvers/resolvers.ts";
import { runProgram } from "../../ts/node/resolvers/run-program.ts";
import { YtDlpResolver } from "../../ts/node/resolvers/yt-dlp.ts";
import { silentLogger } from "../../ts/support/logger.ts";
import { eventually, GUILD, TestNode, trackId } from "./harness.ts";

const PAGE = "https://video.example/watch?v=1";
const TRACK = decodeTrackId(trackId(PAGE));
const never = new AbortController().signal;

function resolversOf(resolvers: Resolver[], now?: () => number): Resolvers {
  const parts = { resolvers, timeoutMs: 60_000, logger: silentLogger };
  return new Resolvers(now ? { ...parts, now } : parts);
}

test("a function of the process resolves pages and searches, in the order of the list", async (t) => {
  const first: Resolver = {
    name: "first",
    load: async (query) => (query === "nothing" ? { type: "empty", tracks: [] } : undefined),
  };
  const second: Resolver = {
    name: "second",
    load: async () => ({ type: "search", tracks: [TRACK] }),
    open: async () => ({ url: "https://cdn.example/1.ogg" }),
  };
  await using node = await TestNode.start({}, undefined, { resolvers: [first, second] });
  const client = await node.connect();
  t.like(await client.send("load_tracks", { query: "nothing" }), {
    result: { load_type: "empty", tracks: [], playlist: null },
  });
  const found = await client.send("load_tracks", { query: "some words" });
  t.like(found, { result: { load_type: "search", tracks: [{ track_id: trackId(PAGE) }] } });
  t.is((await client.send("play", { guild_id: GUILD, track_id: trackId(PAGE) })).type, "done");
  t.deepEqual(node.call().flow.plays[0]?.source, {
    kind: "http",
    url: "https://cdn.example/1.ogg",
  });
});

test("a resolver cannot lead out of the allowed folders", async (t) => {
  const resolver: Resolver = { name: "evil", open: async () => ({ url: "file:///etc/passwd" }) };
  await using node = await TestNode.start({}, undefined, { resolvers: [resolver] });
  const client = await node.connect();
  const answer = await client.send("play", { guild_id: GUILD, track_id: trackId(PAGE) });
  t.like(answer, { type: "error", code: "track_not_allowed" });
});

test("what a resolver throws goes nowhere, unless it is meant for the client", async (t) => {
  const secret = "key=12345";
  const loud: Resolver = {
    name: "loud",
    open: async () => {
      throw new Error(secret);
    },
    load: async () => {
      throw new OpError("track_unavailable", "Not in this country.");
    },
  };
  await using node = await TestNode.start({}, undefined, { resolvers: [loud] });
  const client = await node.connect();
  const play = await client.send("play", { guild_id: GUILD, track_id: trackId(PAGE) });
  t.like(play, { code: "resolver_failed" });
  t.false(JSON.stringify(play).includes(secret));
  t.like(await client.send("load_tracks", { query: PAGE }), {
    code: "track_unavailable",
    message: "Not in this country.",
  });
});

test("another op ends the search, and the play says so", async (t) => {
  let aborted = false;
  const slow: Resolver = {
    name: "slow",
    open: (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason);
        });
      }),
  };
  await using node = await TestNode.start({}, undefined, { resolvers: [slow] });
  const client = await node.connect();
  await client.send("voice_update", {
    guild_id: GUILD,
    session_id: "s",
    token: "t",
    endpoint: "e:1",
  });
  const play = client.send("play", { guild_id: GUILD, track_id: trackId(PAGE) });
  await client.send("list_players", {});
  const destroyed = client.send("destroy", { guild_id: GUILD });
  t.like(await play, { type: "error", code: "interrupted" });
  t.is((await destroyed).type, "done");
  t.true(aborted);
});

test("a resolver that does not answer costs its time-out and no more", async (t) => {
  const stuck: Resolver = {
    name: "stuck",
    timeoutMs: 50,
    open: () => new Promise(() => undefined),
  };
  await using node = await TestNode.start({}, undefined, { resolvers: [stuck] });
  const client = await node.connect();
  const answer = await client.send("play", { guild_id: GUILD, track_id: trackId(PAGE) });
  t.like(answer, { code: "resolver_timeout" });
});

test("an address is kept until shortly before it expires, or until it fails", async (t) => {
  let now = 1_000_000;
  let asked = 0;
  const resolver: Resolver = {
    name: "counting",
    open: async () => ({ url: `https://cdn.example/${++asked}`, expiresAt: now + 600_000 }),
  };
  const resolvers = resolversOf([resolver], () => now);
  t.is((await resolvers.open(TRACK, never))?.url, "https://cdn.example/1");
  now += 500_000;
  t.is((await resolvers.open(TRACK, never))?.url, "https://cdn.example/1");
  now += 90_000;
  t.is((await resolvers.open(TRACK, never))?.url, "https://cdn.example/2");
  resolvers.forget(TRACK.url);
  t.is((await resolvers.open(TRACK, never))?.url, "https://cdn.example/3");
});

test("a lane runs so many calls, lets so many wait, and gives places back", async (t) => {
  const lane = new Lane({ name: "x", concurrency: 2, timeoutMs: 60_000 });
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const call = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => release.push(resolve));
    running -= 1;
  };
  const calls = Array.from({ length: 2 + MAX_WAITING_CALLS }, () => lane.run(call, never));
  await t.throwsAsync(lane.run(call, never), { code: "resolver_busy" });
  const gone = new AbortController();
  while (release.length > 0 || running > 0) {
    release.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(calls);
  t.is(most, 2);
  gone.abort(new Error("gone"));
  await t.throwsAsync(lane.run(call, gone.signal), { message: "gone" });
});

interface Service {
  url: string;
  asked: { body: Record<string, unknown>; authorization: string | undefined }[];
}

/** A service that answers as told. */
async function service(
  t: ExecutionContext,
  answer: (body: Record<string, unknown>, response: ServerResponse) => void,
): Promise<Service> {
  const asked: Service["asked"] = [];
  const listen = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text) as Record<string, unknown>;
    asked.push({ body, authorization: request.headers.authorization });
    answer(body, response);
  };
  const server = createServer((request, response) => void listen(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

test("a service is asked over HTTP", async (t) => {
  const { url, asked } = await service(t, (body, response) => {
    if (body.query === "mine") {
      return json(response, 200, {
        load_type: "playlist",
        playlist: "A list",
        tracks: [{ url: PAGE, title: 5, length: -1, is_live: false }, { title: "no url" }, null],
      });
    }
    if (body.type === "open") {
      return json(response, 200, { url: "https://cdn.example/a", expires_at: 1e13 });
    }
    response.writeHead(204).end();
  });
  const config = { resolver_url: url, resolver_authorization: "Bearer abc" };
  await using node = await TestNode.start(config);
  const client = await node.connect();
  t.like(await client.send("load_tracks", { query: "mine" }), {
    result: {
      load_type: "playlist",
      playlist: "A list",
      tracks: [{ info: { url: PAGE, title: null, length: null, is_live: false } }],
    },
  });
  t.like(await client.send("load_tracks", { query: "https://x.example/a.ogg" }), {
    result: { load_type: "track" },
  });
  for (let count = 0; count < 2; count++) {
    await client.send("play", { guild_id: GUILD, track_id: trackId(PAGE) });
  }
  t.deepEqual(node.call().flow.plays[1]?.source, { kind: "http", url: "https://cdn.example/a" });
  t.is(asked.filter(({ body }) => body.type === "open").length, 1, "the address is kept");
  t.like(asked.at(-1)?.body, { type: "open", track: { url: PAGE } });
  t.true(asked.every(({ authorization }) => authorization === "Bearer abc"));
});

test("what a service answers wrongly is a failure; what it refuses is told", async (t) => {
  const answers: Record<string, (response: ServerResponse) => void> = {
    "https://a/refused": (response) => json(response, 404, { message: "There is no such video." }),
    "https://a/broken": (response) => json(response, 500, { message: "stack trace" }),
    "https://a/list": (response) => json(response, 200, []),
    "https://a/text": (response) => response.end("<html>"),
    "https://a/huge": (response) => response.end(" ".repeat(MAX_ANSWER_BYTES + 1)),
    "https://a/elsewhere": (response) => response.writeHead(302, { location: "/x" }).end(),
    "https://a/cut": (response) => response.destroy(),
    "https://a/nothing": (response) => json(response, 200, {}),
  };
  const { url } = await service(t, (body, response) => answers[String(body.query)]?.(response));
  const resolvers = resolversOf([new HttpResolver({ url })]);
  for (const query of Object.keys(answers)) {
    const code = query.endsWith("refused") ? "track_unavailable" : "resolver_failed";
    await t.throwsAsync(resolvers.load(query, never), { code }, query);
  }
});

/** A program that stands in for yt-dlp: notes its arguments and does what the script says. */
function fakeYtDlp(
  t: ExecutionContext,
  script: string,
): { program: string; calls: () => string[] } {
  const folder = mkdtempSync(join(tmpdir(), "cadenza-yt-dlp-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "yt-dlp");
  const log = join(folder, "log");
  writeFileSync(program, `#!/bin/sh\nprintf '%s|' "$@" >> '${log}'\necho >> '${log}'\n${script}\n`);
  chmodSync(program, 0o755);
  const calls = (): string[] =>
    existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  return { program, calls };
}

const INFO = {
  id: "1",
  title: "A song",
  webpage_url: PAGE,
  url: `https://cdn.example/1?expire=${Math.floor(Date.now() / 1000) + 7200}`,
  duration: 244.4,
  channel: "Somebody",
  channel_id: "UC1",
  thumbnail: "https://cdn.example/1.jpg",
  is_live: false,
  http_headers: { "User-Agent": "Mozilla/5.0", Referer: "https://x.example/", "no header": "x" },
};

test.serial(
  "yt-dlp finds tracks and their sound, without a shell, and is asked once",
  async (t) => {
    const { program, calls } = fakeYtDlp(t, `cat <<'END'\n${JSON.stringify(INFO)}\nEND`);
    await using node = await TestNode.start({ yt_dlp: program });
    const client = await node.connect();
    const hostile = `${PAGE}&x=$(touch%20/tmp/owned);'"--exec`;
    t.like(await client.send("load_tracks", { query: hostile }), {
      result: {
        load_type: "track",
        tracks: [
          {
            info: {
              title: "A song",
              identifier: "1",
              url: PAGE,
              length: 244_400,
              author: "Somebody",
              author_id: "UC1",
              thumbnail: INFO.thumbnail,
              is_live: false,
            },
          },
        ],
      },
    });
    t.true(calls()[0]?.endsWith(`|--|${hostile}|`), "the URL is one argument, after the options");
    t.regex(calls()[0] ?? "", /\|--use-extractors\|default,-generic\|/);
    for (let count = 0; count < 3; count++) {
      await client.send("play", { guild_id: GUILD, track_id: trackId(PAGE) });
    }
    const headers = { "User-Agent": "Mozilla/5.0", Referer: "https://x.example/" };
    const { flow } = node.call();
    t.deepEqual(flow.plays[0]?.source, { kind: "http", url: INFO.url, headers });
    t.deepEqual(flow.plays[2]?.source, { kind: "http", url: INFO.url, headers });
    t.is(calls().length, 2, "its address is kept until it expires");
  },
);

test.serial(
  "yt-dlp lists playlists and searches, and is not asked about files and words",
  async (t) => {
    const list = {
      title: "A list",
      entries: [INFO, null, { id: "no url" }, { ...INFO, duration: null }],
    };
    const { program, calls } = fakeYtDlp(t, `cat <<'END'\n${JSON.stringify(list)}\nEND`);
    const options = { program, concurrency: 2, timeoutMs: 60_000, logger: silentLogger };
    const resolver = new YtDlpResolver(options);
    const playlist = await resolver.load(`${PAGE}&list=1`, never);
    t.like(playlist, { type: "playlist", playlist: "A list" });
    t.deepEqual(
      playlist?.tracks.map(({ length }) => length),
      [244_400, null],
    );
    t.like(await resolver.load("ytsearch5:a song", never), { type: "search" });
    const others = [
      "a song",
      "https://x.example/a.ogg?x=1",
      "file:///etc/passwd",
      "-x",
      "--exec=x",
    ];
    for (const query of others) t.is(await resolver.load(query, never), undefined, query);
    t.is(calls().length, 2);
  },
);

test.serial(
  "what yt-dlp does not know is left to others; what it cannot get is told",
  async (t) => {
    const script = `case "$*" in
    *unknown*) echo 'ERROR: No suitable extractor found for URL x' >&2; exit 1;;
    *private*) echo 'ERROR: [site] 1: Private video. secret=1' >&2; exit 1;;
    *silent*) exit 3;;
    *garbage*) echo 'hello';;
    *local*) echo '{"url": "file:///etc/passwd"}';;
  esac`;
    const { program } = fakeYtDlp(t, script);
    const options = { program, concurrency: 2, timeoutMs: 60_000, logger: silentLogger };
    const resolvers = resolversOf([new YtDlpResolver(options)]);
    const open = (word: string) => resolvers.open({ ...TRACK, url: `https://a/${word}` }, never);
    t.is(await open("unknown"), undefined);
    const refused = await t.throwsAsync(open("private"), { code: "track_unavailable" });
    t.false(refused?.message.includes("secret"));
    for (const word of ["silent", "garbage", "local"]) {
      await t.throwsAsync(open(word), { code: "resolver_failed" }, word);
    }
    const missing = new YtDlpResolver({ ...options, program: "/nowhere/yt-dlp" });
    await t.throwsAsync(resolversOf([missing]).open(TRACK, never), { code: "resolver_failed" });
  },
);

test.serial("a yt-dlp that hangs is killed with what it started", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cadenza-hang-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const pids = join(folder, "pids");
  const { program } = fakeYtDlp(t, `sleep 600 & echo $! > '${pids}'; wait`);
  const gone = new AbortController();
  const call = runProgram(program, [], 1000, gone.signal);
  await eventually(() => existsSync(pids) && readFileSync(pids, "utf8").trim() !== "");
  gone.abort(new Error("enough"));
  await t.throwsAsync(call, { message: "enough" });
  const pid = Number(readFileSync(pids, "utf8"));
  await eventually(() => !isAlive(pid));
  t.pass();
});

test.serial("a yt-dlp that says too much is killed", async (t) => {
  const { program } = fakeYtDlp(t, "while :; do echo 0123456789012345678901234567890; done");
  await t.throwsAsync(runProgram(program, [], 100_000, never), { message: /too much/ });
});

/** Whether a process runs; one that has ended and waits for its parent does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
