/** A whole player node: MP3 to encode and Opus to pass through at the same time, and what a player of each kind holds. */

import { compiledSender } from "../harness/compiled.ts";
import { type Contender, certificateFile } from "../harness/contenders.ts";
import { BenchmarkClient } from "../harness/node-client.ts";
import { residentBytes } from "../harness/proc.ts";
import { type Measurement, pause } from "../harness/stage.ts";
import { spread } from "../harness/statistics.ts";
import type { Context, Experiment, Section, Size } from "./experiment.ts";
import { show } from "./experiment.ts";

const TRANSCODING: Record<Size, number> = { full: 120, quick: 30, smoke: 2 };
const PASSTHROUGH: Record<Size, number> = { full: 300, quick: 75, smoke: 3 };
const SECONDS: Record<Size, number> = { full: 20, quick: 5, smoke: 1 };
const ROUNDS: Record<Size, number> = { full: 3, quick: 1, smoke: 1 };
/** Encoders fill their queues and the load settles for so long before anything counts, in milliseconds. */
const SETTLE_MS = 3000;

/** How many players of each kind a node has. */
interface Crowd {
  label: string;
  idle: number;
  passthrough: number;
  transcoding: number;
}

/** What came of it. */
interface Round extends Crowd {
  measured: Measurement;
  /** Resident bytes with a client connected, before the first player. */
  emptyBytes: number;
}

/** Each kind alone, for its memory, then both that play together. */
export const node: Experiment = {
  name: "node",
  async run(context: Context): Promise<Section> {
    const { size, tell } = context;
    const [transcoding, passthrough] = [TRANSCODING[size], PASSTHROUGH[size]];
    const both = `${transcoding} transcoding and ${passthrough} passthrough`;
    const nobody = { idle: 0, passthrough: 0, transcoding: 0 };
    const crowds: Crowd[] = [
      { ...nobody, label: `${passthrough} idle`, idle: passthrough },
      { ...nobody, label: `${passthrough} passthrough`, passthrough },
      { ...nobody, label: `${transcoding} transcoding`, transcoding },
      ...Array.from({ length: ROUNDS[size] }, () => ({
        label: both,
        idle: 0,
        passthrough,
        transcoding,
      })),
    ];
    const rounds: Round[] = [];
    for (const crowd of crowds) {
      tell(`node: ${crowd.label}`);
      rounds.push(await perform(context, crowd));
    }
    return section(rounds, both);
  },
};

async function perform(context: Context, crowd: Crowd): Promise<Round> {
  const { stage, fixture, size } = context;
  const calls = crowd.idle + crowd.passthrough + crowd.transcoding;
  // What is heard of the players that rest would be missing packets.
  const act = { contender: nodeProgram(context), calls, seconds: SECONDS[size] };
  return stage.with({ ...act, work: "idle" }, async (playing) => {
    const { url } = await playing.sender.ask("url");
    const client = await BenchmarkClient.connect(String(url), stage.endpoint);
    try {
      await pause(500);
      const emptyBytes = residentBytes(playing.sender.pid);
      await client.join(1, calls);
      const { transcoding, passthrough } = crowd;
      if (transcoding > 0) await client.play(1, transcoding, fixture.mp3);
      if (passthrough > 0)
        await client.play(transcoding + 1, transcoding + passthrough, fixture.ogg);
      await pause(SETTLE_MS);
      return { ...crowd, emptyBytes, measured: await stage.listen(act, playing) };
    } finally {
      client.close();
    }
  });
}

function nodeProgram({ root }: Context): Contender {
  return {
    name: "cadenza",
    settings: "cadenza serve with two decode workers, one pacer and Opus complexity 5",
    sealed: true,
    program: (config) => ({
      command: process.execPath,
      args: [compiledSender(root, "node.js"), JSON.stringify(config)],
      env: { NODE_EXTRA_CA_CERTS: certificateFile(config) },
    }),
  };
}

function section(rounds: readonly Round[], both: string): Section {
  const kinds = [...new Set(rounds.map(({ label }) => label))];
  const of = (label: string, value: (round: Round) => number) =>
    spread(rounds.filter((round) => round.label === label).map(value));
  const late = (label: string) => of(label, ({ measured }) => measured.lateShare);
  const memory = (label: string) => of(label, perPlayer);
  const rows = kinds.map((label) => {
    const silent = label.endsWith(" idle");
    return [
      label,
      silent ? "" : show(late(label), 3, 100),
      silent
        ? ""
        : show(
            of(label, ({ measured }) => measured.p99Us),
            0,
          ),
      silent
        ? ""
        : show(
            of(label, ({ measured }) => measured.rateMedian),
            2,
          ),
      show(
        of(label, ({ measured }) => measured.cores),
        2,
      ),
      show(memory(label), 1, 1 / 1024),
    ];
  });
  const columns = ["players", "late > 20 ms, %", "p99 µs", "packets/s", "cores", "KiB a player"];
  return {
    name: "node",
    title: "A player node under load",
    method:
      "One node in a process of its own, driven by ops over its WebSocket; every player has its gateway connection (TLS). " +
      "Transcoding players decode 44.1 kHz MP3 from a file, resample and encode at complexity 5 without filters; the others " +
      "pass Ogg Opus through. Memory is what the process holds beyond the node without players, divided by the players.",
    tables: [{ columns, rows }],
    plots: [],
    figures: {
      ...Object.fromEntries(
        kinds.map((label) => [`node, ${label}: bytes a player`, memory(label)]),
      ),
      [`node, ${both}: late share`]: late(both),
    },
    data: rounds,
  };
}

function perPlayer({ measured, emptyBytes, idle, passthrough, transcoding }: Round): number {
  return (measured.residentBytes - emptyBytes) / Math.max(1, idle + passthrough + transcoding);
}
