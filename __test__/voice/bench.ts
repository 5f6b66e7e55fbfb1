/** A simulator, a bot whose main gateway it is, and a listener; what most tests of the voice library begin with. */

import { fileURLToPath } from "node:url";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator, type SimulatorOptions } from "../../ts/simulator/index.ts";
import { VoiceManager, type VoiceManagerOptions } from "../../ts/voice/manager.ts";

/** A track of 12 s in Ogg Opus. */
export const tune = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));

export const guildId = "41771983423143937";
export const channelId = "127121515262115840";
export const userId = "104694319306248192";

/** What can be chosen. */
export interface BenchOptions {
  simulator?: SimulatorOptions;
  manager?: Partial<VoiceManagerOptions>;
}

/** Starts everything on loopback; dispose of it at the end. */
export async function openBench(options: BenchOptions = {}) {
  const simulator = await DiscordSimulator.start(options.simulator);
  const engine = new Engine();
  const mainGateway = simulator.mainGateway(userId);
  const { gateway, ...rest } = options.manager ?? {};
  const manager = new VoiceManager({
    userId,
    engine,
    sendPayload: (_guild, payload) => mainGateway.send(payload),
    gateway: { insecureEndpoints: true, ...gateway },
    ...rest,
  });
  mainGateway.on("dispatch", ({ t, d }) => {
    if (t === "VOICE_STATE_UPDATE") manager.handleVoiceStateUpdate(d);
    else manager.handleVoiceServerUpdate(d);
  });
  const connection = manager.connection(guildId);
  const listener = simulator.listen({ guildId, channelId });
  /** Resolves when so many more packets were heard. */
  const hears = (more = 20): Promise<boolean> => {
    const target = listener.packets.length + more;
    return listener.waitFor(() => listener.packets.length >= target, 15_000);
  };
  /** Resolves when the connection is in a status. */
  const reached = (status: string): Promise<void> =>
    new Promise((resolve) => {
      if (connection.status === status) return resolve();
      const watch = (now: string): void => {
        if (now !== status) return;
        connection.off("stateChange", watch);
        resolve();
      };
      connection.on("stateChange", watch);
    });
  /** Resolves when a condition holds; looked at whenever the connection changes its status. */
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const watch = (): void => {
        if (!condition()) return;
        connection.off("stateChange", watch);
        resolve();
      };
      connection.on("stateChange", watch);
      watch();
    });
  const close = async (): Promise<void> => {
    await manager.close();
    await engine.close();
    await simulator.close();
  };
  const world = { simulator, engine, mainGateway, manager, connection, listener };
  return {
    ...world,
    guildId,
    channelId,
    userId,
    hears,
    reached,
    until,
    [Symbol.asyncDispose]: close,
  };
}

/** What {@link openBench} gives. */
export type Bench = Awaited<ReturnType<typeof openBench>>;
