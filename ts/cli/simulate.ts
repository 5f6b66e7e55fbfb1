/** `cadenza simulate`: runs the simulator until it is told to stop. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import {
  DiscordSimulator,
  type Listener,
  readSwitch,
  type SimMember,
  SWITCH_GROUPS,
  type SwitchPlace,
  toneFrames,
} from "../simulator/index.ts";
import { CadenzaError } from "../support/errors.ts";

const HELP = `
Prints one JSON object: where the voice gateway is, and the credentials of a bot in a channel, as the two voice events
of the main gateway would carry them. Hand them to the bot, or to a node as a voice_update. Later events of the main
gateway follow, one JSON object a line.

With --listen DIR, what the bot said is written to DIR/heard.wav and DIR/heard.ogg when you press Ctrl-C.

Examples:
  cadenza simulate --listen /tmp/heard
  cadenza simulate --dave --members 2 --talk
  cadenza simulate --fault loss=0.02 --fault jitter=30 --at 10:server-move --at 20:cut

Faults, for --fault and --at:
`;
const TALK_EVERY_MS = 5000;

interface Flags {
  port?: string;
  tls?: boolean;
  guild: string;
  channel: string;
  user: string;
  seed: string;
  members: string;
  talk?: boolean;
  dave?: boolean;
  daveOptional?: boolean;
  stage?: boolean;
  fault?: string[];
  at?: string[];
  listen?: string;
}

/** The command. */
export function simulateCommand(): Command {
  return new Command("simulate")
    .description("Start a stand-in for Discord's voice service on this machine.")
    .option("--port <number>", "TCP port of the voice gateway; any free one by default")
    .option("--tls", "speak wss with a certificate made at the start")
    .option("--guild <id>", "guild of the room", "490948346773635102")
    .option("--channel <id>", "voice channel of the room", "127121515262115840")
    .option("--user <id>", "the bot's user id", "104694319306248192")
    .option("--seed <number>", "seed of everything that is drawn", "1")
    .option("--members <number>", "users in the room who hear the bot", "0")
    .option("--talk", "let the first of them say a tone every five seconds")
    .option("--dave", "demand end-to-end encryption, as Discord does (needs @snazzah/davey)")
    .option("--dave-optional", "offer it, and do without where a client has none")
    .option("--stage", "make the channel a stage, which has none")
    .option("--fault <name[=value]>", "switch a fault on; may be repeated", collect)
    .option("--at <seconds:name[=value]>", "the same, so long after the start", collect)
    .option("--listen <dir>", "write what was heard to this folder at the end")
    .addHelpText("after", HELP + faultHelp())
    .action(simulate);
}

async function simulate(flags: Flags): Promise<void> {
  const now = (flags.fault ?? []).map(fault);
  const later = (flags.at ?? []).map(readTimed);
  const place = { guildId: flags.guild, channelId: flags.channel, userId: flags.user };
  const simulator = await start(flags);
  if (flags.stage) simulator.guild(place.guildId).setStage(place.channelId);
  const count = number("--members", flags.members);
  const members = Array.from({ length: count }, () =>
    simulator.member({ guildId: place.guildId, channelId: place.channelId }),
  );
  const tap = simulator.listen(place);
  for (const apply of now) await apply(simulator, place);
  const told = untilTold();
  announce(simulator, place);
  const timers = later.map(({ ms, apply }) => setTimeout(() => apply(simulator, place), ms));
  if (flags.talk && members[0]) timers.push(talk(members[0]));
  await told;
  for (const timer of timers) clearTimeout(timer);
  await report(members[0]?.heard ?? tap, tap, flags);
  await simulator.close();
}

function untilTold(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}

function start(flags: Flags): Promise<DiscordSimulator> {
  const port = flags.port === undefined ? {} : { port: number("--port", flags.port) };
  return DiscordSimulator.start({
    ...port,
    tls: flags.tls ?? false,
    seed: number("--seed", flags.seed),
    daveProtocolVersion: flags.dave || flags.daveOptional ? 1 : 0,
    daveRequired: !flags.daveOptional,
  });
}

/** Prints the credentials, and from then on what the bot's main gateway would say. */
function announce(simulator: DiscordSimulator, place: SwitchPlace): void {
  const { endpoint, certificate } = simulator;
  const credentials = simulator.admit(place);
  process.stdout.write(`${JSON.stringify({ endpoint, credentials, certificate }, null, 2)}\n`);
  // The events of this very join are in the credentials already.
  setImmediate(() => {
    simulator.mainGateway(place.userId).on("dispatch", (dispatch) => {
      process.stdout.write(`${JSON.stringify(dispatch)}\n`);
    });
  });
}

function talk(member: SimMember): NodeJS.Timeout {
  const tone = toneFrames({ seconds: 1, frequencyHz: 440 });
  return setInterval(() => void member.speak(tone), TALK_EVERY_MS);
}

async function report(heard: Listener, tap: Listener, flags: Flags): Promise<void> {
  const { packets } = heard.stats();
  process.stderr.write(`\nheard ${packets} packets, ${tap.problems.length} problems\n`);
  for (const problem of tap.problems.slice(0, 10))
    process.stderr.write(`  ${problem.code}: ${problem.message}\n`);
  if (flags.listen === undefined || packets === 0) return;
  await mkdir(flags.listen, { recursive: true });
  await heard.writeWav(join(flags.listen, "heard.wav"), flags.user);
  await heard.writeOgg(join(flags.listen, "heard.ogg"), flags.user);
}

function readTimed(setting: string): { ms: number; apply: ReturnType<typeof readSwitch> } {
  const at = setting.indexOf(":");
  const ms = number("--at", setting.slice(0, Math.max(0, at))) * 1000;
  return { ms, apply: fault(setting.slice(at + 1)) };
}

function fault(setting: string): ReturnType<typeof readSwitch> {
  try {
    return readSwitch(setting);
  } catch (cause) {
    if (!(cause instanceof CadenzaError)) throw cause;
    throw new CadenzaError("bad_config", cause.message, { cause });
  }
}

function number(flag: string, value: string): number {
  const parsed = Number(value);
  if (value.trim() !== "" && parsed >= 0) return parsed;
  throw new CadenzaError("bad_config", `${flag} takes a number, not "${value}".`);
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

function faultHelp(): string {
  return SWITCH_GROUPS.map(({ title, switches }) => {
    const lines = switches.map(({ name, value, help }) => {
      const form = value === "" ? name : `${name}=${value}`;
      return form.length < 38
        ? `  ${form.padEnd(38)} ${help}`
        : `  ${form}\n${" ".repeat(41)}${help}`;
    });
    return `\n${title}:\n${lines.join("\n")}\n`;
  }).join("");
}
