/** `cadenza serve`: runs the player node until it is told to stop. */

import { Command } from "commander";
import { pino } from "pino";
import {
  CONFIG_KEYS,
  type NodeConfigInput,
  PlayerNode,
  readConfigFile,
  readEnvironment,
  resolveConfig,
} from "../node/index.ts";

const HELP = `
Configuration, later ones winning: defaults, the file, the environment, flags. Keys of the file:

${Object.entries(CONFIG_KEYS)
  .map(([name, key]) => {
    const fallback =
      key.fallback === undefined ? "required" : `default ${JSON.stringify(key.fallback)}`;
    return `  ${name.padEnd(26)} ${key.allowed} (${fallback})`;
  })
  .join("\n")}

In the environment the same keys are CADENZA_PORT, CADENZA_PASSWORD and so on; folders are separated by colons.

Example:
  CADENZA_PASSWORD=correct-horse cadenza serve --port 2333 --allow-folder /srv/music`;

interface Flags {
  config?: string;
  host?: string;
  port?: string;
  allowFolder?: string[];
  allowPrivateHosts?: boolean;
  insecureVoiceEndpoints?: boolean;
  logLevel?: string;
}

/** The command. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("Start the player node, which bots drive over a WebSocket.")
    .option("-c, --config <file>", "YAML file with the keys below")
    .option("--host <address>", "address to bind")
    .option("--port <number>", "TCP port; 0 takes any free one")
    .option("--allow-folder <folder...>", "folder whose files may be played")
    .option("--allow-private-hosts", "let http(s) tracks reach loopback and private addresses")
    .option("--insecure-voice-endpoints", "accept ws:// voice endpoints, for the simulator")
    .option("--log-level <level>", "silent, error, warn, info or debug")
    .addHelpText("after", HELP)
    .action(serve);
}

async function serve(flags: Flags): Promise<void> {
  const file = flags.config === undefined ? {} : readConfigFile(flags.config);
  const input = { ...file, ...readEnvironment(process.env), ...fromFlags(flags) };
  const config = resolveConfig(input);
  const logger = pino({ level: config.log_level });
  const node = await PlayerNode.start(config as NodeConfigInput, { logger });
  logger.info({ url: node.url }, "the node listens");
  const stop = (signal: NodeJS.Signals): void => {
    logger.info({ signal }, "shutting down");
    void node.close();
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

function fromFlags(flags: Flags): Record<string, unknown> {
  const given: Record<string, unknown> = {
    host: flags.host,
    port: flags.port === undefined ? undefined : CONFIG_KEYS.port.read(flags.port),
    allowed_folders: flags.allowFolder,
    allow_private_hosts: flags.allowPrivateHosts,
    insecure_voice_endpoints: flags.insecureVoiceEndpoints,
    log_level: flags.logLevel,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
