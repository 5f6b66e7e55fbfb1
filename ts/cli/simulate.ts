/** `cadenza simulate`: runs the simulator until it is told to stop. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { DiscordSimulator } from "../simulator/index.ts";

const HELP = `
Prints one JSON object: where the voice gateway is, and the credentials of a bot in a channel, as the two voice events
of the main gateway would carry them. Hand them to the bot, or to a node as a voice_update.

With --listen DIR, what the bot said is written to DIR/heard.wav and DIR/heard.ogg when you press Ctrl-C.

Example:
  cadenza simulate --listen /tmp/heard`;

interface Flags {
  port?: string;
  tls?: boolean;
  guild: string;
  channel: string;
  user: string;
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
    .option("--listen <dir>", "write what was heard to this folder at the end")
    .addHelpText("after", HELP)
    .action(simulate);
}

async function simulate(flags: Flags): Promise<void> {
  const port = flags.port === undefined ? {} : { port: Number(flags.port) };
  const simulator = await DiscordSimulator.start({ ...port, tls: flags.tls ?? false });
  const place = { guildId: flags.guild, channelId: flags.channel };
  const listener = simulator.listen(place);
  const { certificate } = simulator;
  const credentials = simulator.admit({ ...place, userId: flags.user });
  process.stdout.write(
    `${JSON.stringify({ endpoint: simulator.endpoint, credentials, certificate }, null, 2)}\n`,
  );
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  const { packets, problems } = listener.stats();
  process.stderr.write(`\nheard ${packets} packets, ${problems} problems\n`);
  for (const problem of listener.problems.slice(0, 10))
    process.stderr.write(`  ${problem.code}: ${problem.message}\n`);
  if (flags.listen !== undefined && packets > 0) {
    await mkdir(flags.listen, { recursive: true });
    await listener.writeWav(join(flags.listen, "heard.wav"));
    await listener.writeOgg(join(flags.listen, "heard.ogg"));
  }
  await simulator.close();
}
