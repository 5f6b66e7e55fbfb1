/** The clients in examples/ drive a node through its ops, with the simulator as Discord. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { type NodeEvent, PlayerNode } from "../../ts/node/index.ts";
import { OP_NAMES } from "../../ts/node/ops/table.ts";
import { DiscordSimulator } from "../../ts/simulator/index.ts";
import { protocolProblems } from "../node/protocol-schema.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
const PASSWORD = "correct-horse";
const room = { guildId: "490948346773635102", channelId: "127121515262115840" };

interface Run {
  code: number;
  errors: string;
  events: NodeEvent[];
  packets: number;
  problems: readonly { code: string }[];
}

/** Runs a client against a node and the simulator. */
async function run(t: ExecutionContext, program: string, args: string[]): Promise<Run> {
  const simulator = await DiscordSimulator.start();
  const node = await PlayerNode.start({
    port: 0,
    password: PASSWORD,
    allowed_folders: [`${examples}media`],
    insecure_voice_endpoints: true,
  });
  t.teardown(async () => {
    await node.close();
    await simulator.close();
  });
  const listener = simulator.listen(room);
  const credentials = simulator.admit({ ...room, userId: "104694319306248192" });
  const child = spawn(program, [...args, node.url, `${examples}media/tune.opus`], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, CADENZA_PASSWORD: PASSWORD },
  });
  child.stdin.end(JSON.stringify({ credentials }));
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const [code] = (await once(child, "close")) as [number];
  const lines = out.split("\n").filter((line) => line !== "");
  const events = lines.map((line) => JSON.parse(line) as NodeEvent);
  return { code, errors, events, packets: listener.packets.length, problems: listener.problems };
}

function done(events: readonly NodeEvent[]): string[] {
  return events.flatMap((event) => (event.type === "done" ? [event.op] : []));
}

/** The client needs its packages, which not every machine has; the pipeline's machines do. */
for (const { name, file, needs } of [
  { name: "the short Python client", file: "op-client.py", needs: "websockets.sync.client" },
  { name: "the Python client without a library", file: "op-client-stdlib.py", needs: "json" },
]) {
  test(`${name} drives a player through all ops`, async (t) => {
    if (spawnSync("python3", ["-c", `import ${needs}`]).status !== 0) {
      t.log(`there is no python3 with ${needs} here`);
      return t.pass();
    }
    const { code, errors, events, packets, problems } = await run(t, "python3", [
      `${examples}${file}`,
    ]);
    t.is(code, 0, errors);
    t.deepEqual([...new Set(done(events))].sort(), [...OP_NAMES].sort());
    t.true(packets > 0);
    t.deepEqual(problems, []);
    const wrong = events.flatMap((d) => protocolProblems({ op: "event", d }));
    t.deepEqual(wrong, []);
  });
}

test("the TypeScript client plays, loses its socket and misses nothing", async (t) => {
  const { code, errors, events, packets } = await run(t, process.execPath, [
    "--import=tsx",
    `${examples}op-client.ts`,
  ]);
  t.is(code, 0, errors);
  t.deepEqual(done(events), ["voice_update", "load_tracks", "play", "stop", "destroy"]);
  const ready = events.filter(({ type }) => type === "ready");
  t.like(ready[1], { resumed: true, complete: true });
  t.true(packets > 0);
});
