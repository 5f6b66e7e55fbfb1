#!/usr/bin/env node
/** `cadenza`: the command line. */

import { Command } from "commander";
import { packageVersion } from "../node/version.ts";
import { CadenzaError } from "../support/errors.ts";
import { benchCommand } from "./bench.ts";
import { demoCommand } from "./demo/command.ts";
import { doctorCommand } from "./doctor/command.ts";
import { playCommand } from "./play/command.ts";
import { serveCommand } from "./serve.ts";
import { simulateCommand } from "./simulate.ts";

/** Exit code of wrong usage and wrong configuration. */
const EXIT_USAGE = 2;

const HELP = `
A first look, with no account:
  cadenza doctor
  cadenza play song.mp3
  cadenza demo

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 stopped by Ctrl-C. Each command has a --help of its own.`;

const program = new Command("cadenza")
  .description(
    "Sound in Discord voice channels: a player node, and a simulator to try it with no account.",
  )
  .version(packageVersion(), "-V, --version")
  .addCommand(playCommand())
  .addCommand(serveCommand())
  .addCommand(simulateCommand())
  .addCommand(doctorCommand())
  .addCommand(benchCommand())
  .addCommand(demoCommand())
  .addHelpText("after", HELP);

for (const command of [program, ...program.commands]) {
  const whole = command === program ? "cadenza" : `cadenza ${command.name()}`;
  command.showHelpAfterError(`${whole} --help tells what there is.`);
  command.exitOverride((exit) => process.exit(exit.exitCode === 0 ? 0 : EXIT_USAGE));
}

try {
  await program.parseAsync();
} catch (error) {
  const isOurs = error instanceof CadenzaError;
  process.stderr.write(
    `cadenza: ${isOurs ? error.message : String((error as Error).stack ?? error)}\n`,
  );
  process.exit(isOurs && error.code === "bad_config" ? EXIT_USAGE : 1);
}
