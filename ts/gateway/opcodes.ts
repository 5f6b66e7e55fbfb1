/** Voice gateway opcodes by their numbers on the wire; a table that the simulator shares. */

/** Every opcode of Discord's voice gateway, the undocumented and the end-to-end encryption ones included. */
export const VoiceOpcode = {
  Identify: 0,
  SelectProtocol: 1,
  Ready: 2,
  Heartbeat: 3,
  SessionDescription: 4,
  Speaking: 5,
  HeartbeatAck: 6,
  Resume: 7,
  Hello: 8,
  Resumed: 9,
  Signal: 10,
  ClientsConnect: 11,
  Video: 12,
  ClientDisconnect: 13,
  SessionUpdate: 14,
  MediaSinkWants: 15,
  VoiceBackendVersion: 16,
  ChannelOptionsUpdate: 17,
  ClientFlags: 18,
  SpeedTest: 19,
  ClientPlatform: 20,
  DavePrepareTransition: 21,
  DaveExecuteTransition: 22,
  DaveTransitionReady: 23,
  DavePrepareEpoch: 24,
  MlsExternalSender: 25,
  MlsKeyPackage: 26,
  MlsProposals: 27,
  MlsCommitWelcome: 28,
  MlsAnnounceCommitTransition: 29,
  MlsWelcome: 30,
  MlsInvalidCommitWelcome: 31,
  NoRoute: 32,
} as const;

/** A number of {@link VoiceOpcode}. */
export type VoiceOpcode = (typeof VoiceOpcode)[keyof typeof VoiceOpcode];

/** What a speaking message says, as bits. */
export const SpeakingFlags = {
  None: 0,
  /** Normal audio. */
  Microphone: 1,
  /** Context audio of a video; no speaking ring. */
  Soundshare: 2,
  /** Priority speaker; needs the permission. */
  Priority: 4,
} as const;
