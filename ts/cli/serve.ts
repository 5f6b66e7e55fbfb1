/** `cadenza serve`: runs the player node until it is told to stop. */

import { Command, Option } from "commander";
import { type Logger, pino } from "pino";
import {
  CONFIG_KEYS,
  type ConfigKey,
  type NodeConfigInput,
  PlayerNode,
  readConfigFile,
  readEnvironment,
  resolveConfig,
} from "../node/index.ts";

const HELP = `
Configuration, later ones winning: defaults, the file, the environment, flags. The keys of the file:

${Object.entries(CONFIG_KEYS).map(describeKey).join("\n")}

In the environment the same keys are CADENZA_PORT, CADENZA_PASSWORD and so on; folders are separated by colons. All but the
secrets are flags, too: --max-players 500.

SIGTERM lets what plays go on for drain_timeout_s at most and takes nothing new; a second signal, or SIGINT, ends it at once.

Examples:
  CADENZA_PASSWORD=correct-horse cadenza serve --port 2333 --allow-folder /srv/music
  cadenza serve --config /etc/cadenza.yaml --yt-dlp yt-dlp`;

/** The command. */
export function serveCommand(): Command {
  const command = new Command("serve")
    .description("Start the player node, which bots drive over a WebSocket.")
    .option("-c, --config <file>", "YAML file with the keys below")
    .option("--allow-folder <folder...>", "folder whose files may be played");
  for (const [name, key] of Object.entries(CONFIG_KEYS)) {
    if (!key.secret && name !== "allowed_folders") command.addOption(flagOf(name, key));
  }
  return command.addHelpText("after", HELP).action(serve);
}

function describeKey([name, key]: [string, ConfigKey]): string {
  const { about, allowed, fallback } = key;
  const byDefault =
    fallback === undefined
      ? "required"
      : fallback === null
        ? "none by default"
        : `default ${JSON.stringify(fallback)}`;
  return `  ${name}\n      ${about.replaceAll("`", "")}; ${allowed} (${byDefault})`;
}

/** Shown in the table of keys, not once more in the list of options. */
function flagOf(name: string, key: ConfigKey): Option {
  const value = typeof key.fallback === "boolean" ? "[boolean]" : "<value>";
  return new Option(`--${name.replaceAll("_", "-")} ${value}`, key.about).hideHelp();
}

async function serve(flags: Record<string, unknown>): Promise<void> {
  const file = typeof flags.config === "string" ? readConfigFile(flags.config) : {};
  const config = resolveConfig({ ...file, ...readEnvironment(process.env), ...fromFlags(flags) });
  const logger = pino({ level: config.log_level });
  const node = await PlayerNode.start(config as NodeConfigInput, { logger });
  stopOnSignals(node, logger);
  logger.info({ url: node.url }, "the node listens");
}

/** The first SIGTERM drains; anything after it, and SIGINT, closes. */
function stopOnSignals(node: PlayerNode, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    logger.info({ signal }, "shutting down");
    const draining = signal === "SIGTERM" && !stopping;
    stopping = true;
    const ended = draining ? node.drain() : node.close();
    ended.catch((error: Error) => {
      logger.error({ name: error.name }, "the node did not end cleanly");
      process.exitCode = 1;
    });
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

function fromFlags(flags: Record<string, unknown>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(CONFIG_KEYS)) {
    const flag = flags[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (flag !== undefined) found[name] = typeof flag === "string" ? key.read(flag) : flag;
  }
  const { allowFolder } = flags;
  return allowFolder === undefined ? found : { ...found, allowed_folders: allowFolder };
}
