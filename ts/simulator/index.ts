/** `cadenza/simulator`: a stand-in for Discord's voice service. */

export type { MODES, Mode } from "./crypto.ts";
export type { DaveChannel, DaveCounts } from "./dave/channel.ts";
export type { DaveClientCounts, DaveStatus } from "./dave/client-status.ts";
export type { CommitCounts } from "./dave/delivery.ts";
export { HOSTILE_PROPOSALS, type HostileProposal } from "./dave/forged.ts";
export type { DaveMessage, DaveMessageFate, DaveSettings } from "./dave/settings.ts";
export type { DiscoveryFault, FaultControls, FaultTarget, Phase } from "./faults.ts";
export type { Moderation, SimGuild, VoiceState } from "./guild.ts";
export { ABSURD_LENGTHS, hostileFrames } from "./hostile.ts";
export type { Lateness } from "./lateness.ts";
export type { LinkDecision, LinkFaults, LinkPacket } from "./link.ts";
export type { Listener, ListenerOptions, ListenerStats } from "./listener.ts";
export type { Dispatch, MainGatewayEvents, SimMainGateway } from "./main-gateway.ts";
export type { MemberOptions, PacketOverrides, SimMember, SpeechOptions } from "./member.ts";
export { type OggOptions, oggOpus } from "./ogg.ts";
export type { SimulatorOptions } from "./options.ts";
export type { ExtensionStyle, ForwardedAudio, PacketStyle, PaddingStyle } from "./packet-style.ts";
export type { Problem, ProblemCode } from "./problems.ts";
export type { HeardPacket } from "./recording.ts";
export type { SessionCounts, SessionInfo } from "./session.ts";
export { DiscordSimulator, type SimCredentials, type StrayDatagrams } from "./simulator.ts";
export type { SwitchHelp, SwitchPlace } from "./switch-table.ts";
export { readSwitch, SWITCH_GROUPS } from "./switches.ts";
export { type ToneOptions, toneFrames } from "./tone.ts";
