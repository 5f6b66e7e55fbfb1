/** `cadenza/simulator`: a stand-in for Discord's voice service. */

export type { Mode } from "./crypto.ts";
export type { FaultControls, FaultTarget, ForwardedAudio, Phase } from "./faults.ts";
export type { Moderation, SimGuild, VoiceState } from "./guild.ts";
export type { Lateness } from "./lateness.ts";
export type { Listener, ListenerOptions, ListenerStats } from "./listener.ts";
export type { Dispatch, MainGatewayEvents, SimMainGateway } from "./main-gateway.ts";
export { type OggOptions, oggOpus } from "./ogg.ts";
export type { SimulatorOptions } from "./options.ts";
export type { Problem, ProblemCode } from "./problems.ts";
export type { HeardPacket } from "./recording.ts";
export type { SessionCounts, SessionInfo } from "./session.ts";
export { DiscordSimulator, type SimCredentials, type StrayDatagrams } from "./simulator.ts";
