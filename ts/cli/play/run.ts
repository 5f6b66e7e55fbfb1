/** Plays tracks into one call: a real one, by credentials that a bot got, or one of a simulator of its own. */

import { resolve } from "node:path";
import { DiscordSimulator, type Listener } from "../../simulator/index.ts";
import { CadenzaError } from "../../support/errors.ts";
import type { VoiceConnection } from "../../voice/connection.ts";
import { createEngine } from "../../voice/engine.ts";
import { VoiceManager } from "../../voice/manager.ts";

/** What a voice connection needs to know. */
export interface RoomCredentials {
  guildId: string;
  channelId?: string;
  userId: string;
  sessionId: string;
  token: string;
  endpoint: string;
  /** Certificate authority of the endpoint, PEM. */
  certificate?: string;
}

const ROOM = { guildId: "490948346773635102", channelId: "127121515262115840" };
const USER_ID = "104694319306248192";

/** A call that is open. */
export class PlaySession implements AsyncDisposable {
  readonly connection: VoiceConnection;
  /** Hears what is played, where the call is the simulator's. */
  readonly listener: Listener | undefined;
  readonly #close: () => Promise<void>;

  private constructor(
    connection: VoiceConnection,
    listener: Listener | undefined,
    close: () => Promise<void>,
  ) {
    this.connection = connection;
    this.listener = listener;
    this.#close = close;
  }

  /**
   * Opens the call and waits until it can carry sound.
   *
   * @param credentials Those of a real call; without them a simulator is started.
   */
  static async open(credentials: RoomCredentials | undefined): Promise<PlaySession> {
    const simulator = credentials ? undefined : await DiscordSimulator.start();
    const listener = simulator?.listen(ROOM);
    const room = credentials ?? simulator?.admit({ ...ROOM, userId: USER_ID });
    if (!room) throw new CadenzaError("no_credentials", "There is no call to play into.");
    const engine = createEngine({ allowPrivateHosts: true });
    const { certificate } = room as RoomCredentials;
    const manager = new VoiceManager({
      userId: room.userId,
      engine,
      gateway: {
        insecureEndpoints: true,
        ...(certificate === undefined ? {} : { tls: { ca: certificate } }),
      },
    });
    const connection = manager.connection(room.guildId);
    const session = new PlaySession(connection, listener, async () => {
      await manager.close();
      await engine.close();
      await simulator?.close();
    });
    try {
      const ready = untilReady(connection);
      connection.provide(room);
      await ready;
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Plays a track to its end.
   *
   * @throws CadenzaError with the code of what went wrong, or the reason of `signal`.
   */
  play(
    track: string,
    range: { startMs?: number; endMs?: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { player } = this.connection;
    const source = /^https?:\/\//i.test(track)
      ? ({ kind: "http", url: track } as const)
      : ({ kind: "file", path: resolve(track) } as const);
    return new Promise((done, failed) => {
      const abort = (): void => {
        player.stop();
        failed(signal.reason);
      };
      signal.throwIfAborted();
      signal.addEventListener("abort", abort, { once: true });
      let failure: CadenzaError | undefined;
      const onError = (_: number, { code, message }: { code: string; message: string }): void => {
        failure = new CadenzaError(code, `${message.replace(/\.$/, "")}.`);
      };
      const onEnd = (): void => {
        player.off("trackError", onError);
        player.off("trackEnd", onEnd);
        signal.removeEventListener("abort", abort);
        if (failure) failed(failure);
        else done();
      };
      player.on("trackError", onError);
      player.on("trackEnd", onEnd);
      player.play(source, range);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

/** Resolves when the call can carry sound; rejects when it ends before that. */
function untilReady(connection: VoiceConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.on("stateChange", (status, reason) => {
      if (status === "ready") resolve();
      if (status !== "disconnected" && !(status === "unconnected" && reason)) return;
      const { code, message } = reason ?? { code: "disconnected", message: "The call ended." };
      reject(new CadenzaError(code, message));
    });
  });
}
