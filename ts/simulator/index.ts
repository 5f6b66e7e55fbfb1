/** `cadenza/simulator`: a stand-in for Discord's voice service. */

export { Faults, type Phase } from "./faults.ts";
export { type HeardPacket, Listener, type Problem } from "./listener.ts";
export { type Dispatch, SimMainGateway } from "./main-gateway.ts";
export { type OggOptions, oggOpus } from "./ogg.ts";
export type { Credentials } from "./rooms.ts";
export { DiscordSimulator, type SimulatorOptions } from "./simulator.ts";
