/** The demo's main job: node and simulator in one process, one track from op to ear, and what came of it. */

import { randomBytes } from "node:crypto";
import { readFile, realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { encodeTrackId, PlayerNode } from "../../node/index.ts";
import { DiscordSimulator, type Listener, type SimMember } from "../../simulator/index.ts";
import { CadenzaError } from "../../support/errors.ts";
import { NodeClient, type NodeEvent } from "./node-client.ts";
import { type Verdict, verify } from "./verify.ts";

const GUILD_ID = "490948346773635102";
const CHANNEL_ID = "127121515262115840";
const USER_ID = "104694319306248192";
const ROOM = { guildId: GUILD_ID, channelId: CHANNEL_ID };

/** What to play and how. */
export interface DemoOptions {
  /** A local file or an http(s) URL. */
  track: string;
  /** How many seconds to play. Default: the whole track. */
  seconds?: number;
  /** Transport encryption mode. Default: the simulator offers all, the node picks the best. */
  mode?: string;
}

/** What is known while the track plays. */
export interface DemoProgress {
  state: string;
  positionMs: number;
  packets: number;
  lateness: { p50Ms: number; p99Ms: number };
}

/** What came of it. */
export interface DemoReport {
  listener: Listener;
  verdict: Verdict;
  started: NodeEvent;
  mode: string;
  /** How the call was end-to-end encrypted, in words. */
  encryption: string;
  positionMs: number;
}

/** How long the listener may take to get its keys. */
const KEYS_WITHIN_MS = 20_000;

/** A demo under way. */
export class Demo implements AsyncDisposable {
  readonly #options: DemoOptions;
  readonly #isUrl: boolean;
  readonly #simulator: DiscordSimulator;
  readonly #node: PlayerNode;
  readonly #client: NodeClient;
  /** What the server sees: what it objects to. */
  readonly #tap: Listener;
  /** Decrypts and hears; undefined where its package is not installed, and the call is not encrypted. */
  readonly #member: SimMember | undefined;
  readonly #listener: Listener;
  #state = "connecting";
  #started: NodeEvent | undefined;
  #positionMs = 0;
  #packetsSent = 0;

  private constructor(
    options: DemoOptions,
    simulator: DiscordSimulator,
    node: PlayerNode,
    client: NodeClient,
    member: SimMember | undefined,
  ) {
    this.#options = options;
    this.#isUrl = isUrl(options.track);
    this.#simulator = simulator;
    this.#node = node;
    this.#client = client;
    this.#tap = simulator.listen(ROOM);
    this.#member = member;
    this.#listener = member?.heard ?? this.#tap;
    client.on("event", (event) => this.#observe(event));
  }

  /** Starts the simulator, the node and a client of it. */
  static async start(options: DemoOptions): Promise<Demo> {
    const { simulator, member } = await openRoom(options.mode);
    const password = randomBytes(16).toString("hex");
    const node = await PlayerNode.start({
      port: 0,
      password,
      allowed_folders: isUrl(options.track) ? [] : [dirname(await realpath(options.track))],
      allow_private_hosts: true,
      insecure_voice_endpoints: true,
      player_update_interval_ms: 250,
      log_level: "silent",
    });
    const client = await NodeClient.connect(`ws://127.0.0.1:${node.port}/v1/ws`, password, USER_ID);
    return new Demo(options, simulator, node, client, member);
  }

  /** What a live line shows. */
  progress(): DemoProgress {
    const { p50Ms, p99Ms } = this.#listener.stats().lateness;
    const packets = this.#listener.packets.length;
    return {
      state: this.#state,
      positionMs: this.#positionMs,
      packets,
      lateness: { p50Ms, p99Ms },
    };
  }

  /**
   * Plays the track to its end and compares.
   *
   * @throws CadenzaError with the node's code when the track cannot be played.
   */
  async play(): Promise<DemoReport> {
    const ended = this.#untilEnded();
    const credentials = this.#simulator.admit({ ...ROOM, userId: USER_ID });
    this.#client.send("voice_update", {
      guild_id: GUILD_ID,
      channel_id: CHANNEL_ID,
      session_id: credentials.sessionId,
      token: credentials.token,
      endpoint: credentials.endpoint,
    });
    // Who joins an encrypted call hears nothing before it has keys.
    const ready = this.#member?.ready(KEYS_WITHIN_MS) ?? true;
    await Promise.race([ready, ended]);
    this.#client.send("play", {
      guild_id: GUILD_ID,
      track_id: await this.#trackId(),
      start_time: 0,
      end_time: Math.round((this.#options.seconds ?? 0) * 1000),
      replace: true,
    });
    await ended;
    return this.#report();
  }

  /** Stops everything that {@link Demo.start} started. */
  async close(): Promise<void> {
    this.#client.close();
    await this.#node.close();
    await this.#simulator.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #trackId(): Promise<string> {
    const url = this.#isUrl ? this.#options.track : resolve(this.#options.track);
    return encodeTrackId({
      title: url.split("/").pop() ?? url,
      identifier: url,
      url,
      length: null,
      author: null,
      author_id: null,
      thumbnail: null,
      is_live: null,
    });
  }

  #observe(event: NodeEvent): void {
    if (event.type === "voice_state" && this.#state !== "playing")
      this.#state = String(event.state);
    if (event.type === "track_start") {
      this.#state = "playing";
      this.#started = event;
    }
    if (event.type === "player_update") {
      if (this.#state === "playing") this.#positionMs = Number(event.position);
      this.#packetsSent = Number(event.packets_sent ?? this.#packetsSent);
    }
    if (event.type === "track_end") this.#state = "ended";
  }

  #encryption(): string {
    const status = this.#member?.dave;
    if (!status) return "none: it needs the package @snazzah/davey";
    const { unopened } = this.#listener.stats();
    return `DAVE version ${status.version}, privacy code ${status.privacyCode}, ${unopened} packets not decrypted`;
  }

  /** Resolves at the track's end; the packets in flight then are waited for in the report. */
  #untilEnded(): Promise<void> {
    return new Promise((done, failed) => {
      this.#client.on("event", (event) => {
        if (event.type === "track_end" && event.reason === "finished") done();
        const isFailure = event.type === "track_error" || event.type === "error";
        if (isFailure) failed(new CadenzaError(String(event.code), String(event.message)));
      });
      this.#client.on("closed", () =>
        failed(new CadenzaError("node_closed", "The node closed the connection.")),
      );
    });
  }

  /** The count of packets sent is complete only in an update that follows the last of them. */
  #nextUpdate(): Promise<void> {
    return new Promise((resolve) => {
      const watch = (event: NodeEvent): void => {
        if (event.type !== "player_update") return;
        this.#client.off("event", watch);
        resolve();
      };
      this.#client.on("event", watch);
    });
  }

  async #report(): Promise<DemoReport> {
    // Five silence frames follow the last one of the track.
    await this.#listener.waitFor(
      () => this.#listener.packets.slice(-5).every((packet) => packet.silence),
      2000,
    );
    // An update may be under way since before the last packet: the next one counts them all.
    for (let update = 0; update < 3; update++) {
      await this.#nextUpdate();
      if (this.#packetsSent >= this.#listener.packets.length) break;
    }
    const whole = !this.#isUrl ? await readFile(this.#options.track) : undefined;
    const heard = {
      packets: this.#listener.packets,
      problems: this.#tap.problems,
      pcm: this.#listener.pcm(),
    };
    return {
      listener: this.#listener,
      verdict: verify(heard, this.#packetsSent, whole),
      started: this.#started ?? { type: "track_start" },
      mode: this.#listener.stats().mode,
      encryption: this.#encryption(),
      positionMs: this.#positionMs,
    };
  }
}

/** An encrypted room with a member who listens; without @snazzah/davey a plain one. */
async function openRoom(
  mode: string | undefined,
): Promise<{ simulator: DiscordSimulator; member: SimMember | undefined }> {
  const modes = mode === undefined ? {} : { modes: [mode] };
  const simulator = await DiscordSimulator.start({ ...modes, daveProtocolVersion: 1 });
  try {
    return { simulator, member: simulator.member(ROOM) };
  } catch (error) {
    await simulator.close();
    if (!(error instanceof CadenzaError) || error.code !== "package_missing") throw error;
    return { simulator: await DiscordSimulator.start(modes), member: undefined };
  }
}

/** Whether a track is named by an http(s) URL. */
export function isUrl(track: string): boolean {
  return /^https?:\/\//i.test(track);
}
