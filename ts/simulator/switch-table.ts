/** The table of all switches: what each one takes and what it does. */

import { HOSTILE_PROPOSALS } from "./dave/forged.ts";
import type { DaveSettings } from "./dave/settings.ts";
import type { FaultControls, Phase } from "./faults.ts";
import type { LinkFaults } from "./link.ts";
import type { ForwardedAudio } from "./packet-style.ts";
import type { DiscordSimulator } from "./simulator.ts";
import {
  choice,
  flag,
  integer,
  nothing,
  type Parser,
  pair,
  share,
  text,
  whole,
} from "./switch-values.ts";

/** Where a switch acts: a room, and in it the user whom some of them are about. */
export interface SwitchPlace {
  guildId: string;
  channelId: string;
  userId: string;
}

/** One switch, for a list of all of them. */
export interface SwitchHelp {
  name: string;
  /** The form of its value; empty when it takes none. */
  value: string;
  help: string;
}

/** What a switch acts on. */
export interface Where extends SwitchPlace {
  simulator: DiscordSimulator;
  faults: FaultControls;
}

/** One switch. */
export interface Switch extends SwitchHelp {
  /** Reads the value; what comes back makes it so. */
  read: (value: string | undefined) => (where: Where) => unknown;
}

const PHASES: readonly Phase[] = [
  "before_hello",
  "before_ready",
  "before_session_description",
  "connected",
  "resuming",
];
const DISCOVERY = ["drop", "duplicate", "short", "wrong_ssrc", "wrong_type"] as const;
const EXTENSIONS = ["none", "empty", "one_word", "two_words", "unknown_profile"] as const;
const code = integer(1000, 4999, "CODE");
const op = integer(21, 30, "OP");
const ms = whole("MS");
const times = whole("TIMES");

function define<T>(
  name: string,
  parser: Parser<T>,
  help: string,
  act: (where: Where, value: T) => unknown,
): Switch {
  const read: Switch["read"] = (value) => {
    const parsed = parser.parse(value);
    return (where) => act(where, parsed);
  };
  return { name, value: parser.form, help, read };
}

const own = (faults: FaultControls): FaultControls => faults;
const forwarded = ({ forwarded }: FaultControls): ForwardedAudio => forwarded;
const link = ({ link }: FaultControls): LinkFaults => link;
const dave = ({ dave }: FaultControls): DaveSettings => dave;

/** A switch that gives a property its value. */
function sets<O, K extends keyof O>(
  name: string,
  parser: Parser<O[K]>,
  help: string,
  of: (faults: FaultControls) => O,
  key: K,
): Switch {
  return define(name, parser, help, ({ faults }, value) => {
    of(faults)[key] = value;
  });
}

/** Audio on its way to clients, and UDP. */
export const AUDIO: readonly Switch[] = [
  sets("extension", choice(EXTENSIONS), "RTP header extension", forwarded, "extension"),
  sets("csrcs", integer(0, 15), "contributing sources per header", forwarded, "csrcs"),
  sets("padding", share, "packets with RTP padding", forwarded, "paddingShare"),
  sets(
    "wrong-padding",
    share,
    "packets whose padding cannot be right",
    forwarded,
    "wrongPaddingShare",
  ),
  sets("marker", share, "packets with the marker bit", forwarded, "markerShare"),
  sets("foreign-types", share, "packets of video beside audio", forwarded, "foreignShare"),
  sets(
    "counter",
    choice(["big_endian", "little_endian"]),
    "byte order of the nonce counter",
    forwarded,
    "counter",
  ),
  sets("first-counter", integer(0, 0xffff_ffff), "its first value", forwarded, "firstCounter"),
  sets("rtcp", ms, "RTCP reports every so often", forwarded, "rtcpIntervalMs"),
  sets("loss", share, "packets at which a loss begins", link, "lossShare"),
  sets("loss-burst", whole("PACKETS"), "length of a loss", link, "lossBurst"),
  sets("duplicate", share, "packets that come twice", link, "duplicateShare"),
  sets("swap", share, "packets behind their successor", link, "swapShare"),
  sets("corrupt", share, "packets with a wrong bit", link, "corruptShare"),
  sets("delay", ms, "delay of every packet", link, "delayMs"),
  sets("jitter", ms, "further delay, drawn", link, "jitterMs"),
  define("broken-rtcp", nothing, "one RTCP packet that does not authenticate, now", (where) =>
    where.faults.sendRtcp(where, { isBroken: true }),
  ),
  define("garbage", choice(["server", "stranger"]), "absurd datagrams, now", (where, source) =>
    where.faults.sendGarbage(where, source),
  ),
  define("discovery", choice(DISCOVERY), "the next discovery answer", ({ faults }, fault) =>
    faults.planDiscovery(fault),
  ),
  define("discovery-delay", ms, "delay of the next discovery answer", ({ faults }, delayMs) =>
    faults.planDiscovery({ delayMs }),
  ),
];

/** The voice gateway. */
export const SIGNALLING: readonly Switch[] = [
  sets("hello-delay", ms, "Hello comes late", own, "helloDelayMs"),
  sets("hello-twice", flag, "Hello comes twice", own, "helloTwice"),
  sets("interval-float", flag, "heartbeat interval with a point", own, "heartbeatIntervalFloat"),
  sets("acks-withheld", flag, "no heartbeat acknowledged: a zombie", own, "heartbeatAcksWithheld"),
  sets("acks-wrong", flag, "heartbeats acknowledged with wrong nonces", own, "heartbeatNonceWrong"),
  define("request-heartbeat", nothing, "a server-sent op 3, now", (where) =>
    where.faults.requestHeartbeat(where),
  ),
  sets("first-sequence", integer(0, 65_535), "seq begins here", own, "firstSequence"),
  sets("unnumbered", share, "messages without seq", own, "unnumberedShare"),
  sets("extra-keys", flag, "unknown keys in every text frame", own, "extraKeys"),
  define("unknown-ops", nothing, "opcode 99, null data, tiny frames, now", (where) =>
    where.faults.sendUnknownOps(where),
  ),
  define("long-frame", whole("BYTES"), "one long text frame, now", (where, bytes) =>
    where.faults.sendLongFrame(where, bytes),
  ),
  define("hostile-frames", nothing, "several hundred wrong frames, now", (where) =>
    where.faults.sendHostileFrames(where),
  ),
  define(
    "close-at",
    pair(choice(PHASES), code),
    "closes the next connection at a phase",
    ({ faults }, [phase, value]) => faults.atPhase(phase, value),
  ),
  define("close", code, "closes the connection, now", (where, value) =>
    where.faults.closeWith(where, value),
  ),
  define("cut", nothing, "resets the TCP stream, now", (where) => where.faults.cutSocket(where)),
  define("freeze", nothing, "falls silent with the socket open, now", (where) =>
    where.faults.freeze(where),
  ),
  define("refuse-resume", times, "refuses the next resumes", ({ faults }, value) =>
    faults.refuseResume(value),
  ),
  define("ready-for-resume", times, "answers the next resumes with Ready", ({ faults }, value) =>
    faults.readyInsteadOfResumed(value),
  ),
  define("rekey", nothing, "a second op 4 with a new key, now", (where) =>
    where.faults.rekey(where),
  ),
];

/** The main gateway. */
export const MAIN_GATEWAY: readonly Switch[] = [
  sets("joins-ignored", flag, "op 4 gets no answer", own, "joinsIgnored"),
  define("user-limit", whole("USERS"), "a full channel", ({ simulator, ...where }, limit) =>
    simulator.guild(where.guildId).setUserLimit(where.channelId, limit),
  ),
  sets("server-event-first", flag, "VOICE_SERVER_UPDATE first", own, "serverEventFirst"),
  sets("events-doubled", flag, "every event twice", own, "eventsDoubled"),
  sets("close-before-events", flag, "4014 before the events", own, "closesBeforeEvents"),
  define("endpoint-null", nothing, "the voice server vanishes, now", ({ faults, guildId }) =>
    faults.endpointNull(guildId),
  ),
  define("server-move", nothing, "another voice server takes over, now", ({ faults, guildId }) =>
    faults.moveServer(guildId),
  ),
  define("new-token", nothing, "same endpoint, new token, now", ({ faults, guildId }) =>
    faults.renewTokens(guildId),
  ),
  define("reconnect", nothing, "the main gateway begins a new session, now", (where) =>
    where.faults.reconnectMainGateway(where.userId),
  ),
  define("kick", nothing, "a moderator disconnects the user, now", ({ simulator, ...where }) =>
    simulator.guild(where.guildId).kick(where.userId),
  ),
  define("move", text("CHANNEL"), "a moderator moves the user, now", (where, channelId) =>
    where.simulator.guild(where.guildId).move(where.userId, channelId),
  ),
];

/** End-to-end encryption. */
export const DAVE: readonly Switch[] = [
  sets("dave-timeout", ms, "longest wait for op 23", dave, "transitionTimeoutMs"),
  sets(
    "dave-execute",
    choice(["when_ready", "early", "never"]),
    "when op 22 comes",
    dave,
    "executes",
  ),
  sets(
    "dave-first-transition",
    integer(1, 65_535),
    "first transition id",
    dave,
    "firstTransitionId",
  ),
  sets(
    "dave-group-transition",
    choice(["zero", "next"]),
    "transition id of a first group",
    dave,
    "groupTransitionId",
  ),
  sets(
    "dave-external-sender",
    choice(["first", "last", "drawn"]),
    "op 25 before or after op 4",
    dave,
    "externalSender",
  ),
  sets("dave-proposal-delay", ms, "gathers proposals", dave, "proposalDelayMs"),
  sets(
    "dave-recovery",
    choice(["together", "separate"]),
    "Remove and Add after op 31",
    dave,
    "recovery",
  ),
  define("dave-sole-version", integer(0, 1), "op 21 for the last member", ({ faults }, value) => {
    faults.dave.soleMemberVersion = value === 0 ? 0 : 1;
  }),
  sets("dave-commit-window", ms, "gathers commits", dave, "commitWindowMs"),
  sets("dave-preferred", text("USER"), "whose commit wins in the window", dave, "preferredUserId"),
  sets("dave-avoided", text("USER"), "whose commit loses in the window", dave, "avoidedUserId"),
  sets("dave-hold-commits", flag, "takes no commit", dave, "holdsCommits"),
  sets(
    "dave-old-commits",
    flag,
    "earlier commits of a client before its latest",
    dave,
    "oldCommitsFirst",
  ),
  sets("dave-announce-pending", flag, "op 29 to the welcomed, too", dave, "announcesToPending"),
  sets("dave-whole-welcome", flag, "op 30 with everybody's part", dave, "sendsWholeWelcome"),
  define(
    "dave-plan",
    pair(choice(["drop", "duplicate", "corrupt", "foreign"]), op),
    "what becomes of the next message to the user with this opcode",
    (where, [fate, value]) => where.faults.dave.plan(value, fate, where.userId),
  ),
  define("dave-late", pair(op, ms), "delays the next message to the user", (where, [value, by]) =>
    where.faults.dave.plan(value, { delayMs: by }, where.userId),
  ),
  define("dave-downgrade", nothing, "to version 0, now", (where) =>
    where.simulator.dave(where).downgrade(),
  ),
  define("dave-upgrade", nothing, "to version 1, now", (where) =>
    where.simulator.dave(where).upgrade(),
  ),
  define("dave-restart", nothing, "a new group, now", (where) =>
    where.simulator.dave(where).restart(),
  ),
  define("dave-new-sender", nothing, "another external sender, now", (where) =>
    where.simulator.dave(where).renewExternalSender(),
  ),
  define("dave-hostile", choice(HOSTILE_PROPOSALS), "a bad proposal, now", (where, kind) =>
    where.simulator.dave(where).sendHostileProposal(kind),
  ),
];
