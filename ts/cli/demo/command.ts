/** `cadenza demo`, the main job of `npm start`: shows a track on its way from an op to an ear. */

import { statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { CadenzaError } from "../../support/errors.ts";
import { clockTime, LiveLine } from "./live-line.ts";
import { Demo, type DemoOptions, type DemoReport, isUrl } from "./run.ts";

const TUNE = fileURLToPath(new URL("../../../examples/media/tune.opus", import.meta.url));
const MODES = [
  "aead_aes256_gcm_rtpsize",
  "aead_xchacha20_poly1305_rtpsize",
  "xsalsa20_poly1305_lite",
  "xsalsa20_poly1305_suffix",
  "xsalsa20_poly1305",
];

const HELP = `
Starts a player node and the simulator, sends the ops that a bot would send, and writes what the listener heard to
heard.wav and heard.ogg.

Modes: ${MODES.join(", ")}

Examples:
  npm start
  npm start -- --track song.mp3 --seconds 20 --out /tmp/heard
  npm start -- --track https://example.org/song.ogg --mode aead_xchacha20_poly1305_rtpsize`;

interface Flags {
  track?: string;
  seconds?: string;
  mode?: string;
  out: string;
}

/** The command. */
export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "Play a track through the node into the simulator and check what is heard (npm start).",
    )
    .option("--track <file or url>", "what to play; the bundled tune by default")
    .option("--seconds <number>", "play only so many seconds")
    .option("--mode <name>", "transport encryption mode; the best one by default")
    .option("--out <dir>", "folder for heard.wav and heard.ogg", ".")
    .addHelpText("after", HELP)
    .action(demo);
}

async function demo(flags: Flags): Promise<void> {
  const options = resolveFlags(flags);
  await mkdir(flags.out, { recursive: true });
  await using running = await Demo.start(options);
  const line = new LiveLine(process.stdout, () => {
    const { state, positionMs, packets, lateness } = running.progress();
    const late = `late p50 ${lateness.p50Ms.toFixed(2)} ms, p99 ${lateness.p99Ms.toFixed(2)} ms`;
    return `${state.padEnd(17)} ${clockTime(positionMs)}  ${String(packets).padStart(5)} packets  ${late}`;
  });
  const report = await running.play().finally(() => line.stop());
  const wavPath = join(flags.out, "heard.wav");
  const oggPath = join(flags.out, "heard.ogg");
  await report.listener.writeWav(wavPath);
  await report.listener.writeOgg(oggPath);
  print(options, report, [wavPath, oggPath]);
  if (!report.verdict.ok)
    throw new CadenzaError("not_heard_as_sent", "What was heard is not what was sent.");
}

function resolveFlags(flags: Flags): DemoOptions {
  const track = flags.track ?? TUNE;
  if (!isUrl(track) && !statSync(track, { throwIfNoEntry: false })?.isFile()) {
    throw new CadenzaError("source_not_found", `There is no file ${track}.`);
  }
  const seconds = flags.seconds === undefined ? undefined : Number(flags.seconds);
  if (seconds !== undefined && !(seconds > 0)) {
    throw new CadenzaError("bad_config", "--seconds takes a number greater than 0.");
  }
  if (flags.mode !== undefined && !MODES.includes(flags.mode)) {
    throw new CadenzaError("bad_config", `--mode takes one of ${MODES.join(", ")}.`);
  }
  return {
    track: isUrl(track) ? track : resolve(track),
    ...(seconds === undefined ? {} : { seconds }),
    ...(flags.mode === undefined ? {} : { mode: flags.mode }),
  };
}

function print(options: DemoOptions, report: DemoReport, files: string[]): void {
  const { started, listener, mode, encryption, verdict } = report;
  const how = started.passthrough ? "passed through" : "transcoded to Opus";
  const { packets, lateness } = listener.stats();
  const name = isUrl(options.track) ? options.track : relative(process.cwd(), options.track);
  const lines = [
    "",
    `track     ${name} (${String(started.codec)}, ${how})`,
    `mode      ${mode}`,
    `e2ee      ${encryption}`,
    `heard     ${packets} packets, ${clockTime(packets * 20)} of sound`,
    `lateness  p50 ${lateness.p50Ms.toFixed(2)} ms, p99 ${lateness.p99Ms.toFixed(2)} ms, max ${lateness.maxMs.toFixed(2)} ms`,
    `files     ${files.join(", ")}`,
    ...verdict.findings,
    "",
  ];
  process.stdout.write(lines.join("\n"));
}
