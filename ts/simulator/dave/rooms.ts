/** End-to-end encryption in all channels: which version a client gets, and whom a channel refuses. */

import type { DaveClientMessage, Refusal } from "../client-messages.ts";
import type { SeededRandom } from "../random.ts";
import type { VoiceSession } from "../session.ts";
import { DaveRoom } from "./room.ts";
import type { DaveSettings } from "./settings.ts";

/** What the rooms need from the simulator around them. */
export interface DaveHost {
  /** Draws the order of messages. */
  readonly random: SeededRandom;
  readonly settings: DaveSettings;
  /** Highest version that the server speaks. */
  readonly version: number;
  /** Whether clients without it are refused; if not, one of them brings the whole call down to version 0. */
  readonly isRequired: boolean;
  /** Whether a channel is a stage, where there is no end-to-end encryption. */
  isStage(guildId: string, channelId: string): boolean;
}

/** All rooms by their channels; one exists from its first mention on. */
export class DaveRooms {
  readonly #host: DaveHost;
  readonly #rooms = new Map<string, DaveRoom>();
  /** Rooms in which a client without end-to-end encryption ended it. */
  readonly #lowered = new WeakSet<DaveRoom>();

  constructor(host: DaveHost) {
    this.#host = host;
    host.settings.onRelease = () => {
      for (const room of this.#rooms.values()) room.release();
    };
  }

  /** The room of a channel. */
  room(guildId: string, channelId: string): DaveRoom {
    const key = `${guildId}/${channelId}`;
    const known = this.#rooms.get(key);
    if (known) return known;
    const room = new DaveRoom(channelId, this.#host.settings);
    this.#rooms.set(key, room);
    return room;
  }

  /** Whether clients in a channel can encrypt. */
  offers(guildId: string, channelId: string): boolean {
    return this.#versionIn(guildId, channelId) > 0;
  }

  /** Refuses a client that announces too low a version. */
  refusal(guildId: string, channelId: string, version: number): Refusal | undefined {
    const { isRequired } = this.#host;
    if (!isRequired || this.#versionIn(guildId, channelId) === 0 || version >= 1) return undefined;
    return { type: "refused", code: 4017, reason: "E2EE/DAVE protocol required." };
  }

  /**
   * Describes a session: `send` gets the version for op 4, and op 25 goes out before or after it.
   *
   * A client without end-to-end encryption brings the call down to version 0.
   */
  describe(session: VoiceSession, send: (version: number) => void): void {
    const { guildId, channelId, daveVersion } = session.seed;
    const most = this.#versionIn(guildId, channelId);
    // Without encryption anywhere there is nothing to keep.
    if (most === 0 && !this.#rooms.has(`${guildId}/${channelId}`)) return send(0);
    const room = this.room(guildId, channelId);
    if (room.isEmpty) {
      room.begin(Math.min(most, daveVersion));
      this.#lowered.delete(room);
      if (daveVersion < most) this.#lowered.add(room);
    } else if (daveVersion < room.version) {
      room.downgrade();
      this.#lowered.add(room);
    }
    const isFirst = this.#isSenderFirst();
    const version = room.enter(session);
    if (isFirst) room.introduce(session);
    send(version);
    if (!isFirst) room.introduce(session);
    room.wake();
  }

  /** Takes a client's message; the refusal closes its connection and ends its session. */
  message(session: VoiceSession, message: DaveClientMessage): Refusal | undefined {
    const room = this.#rooms.get(`${session.seed.guildId}/${session.seed.channelId}`);
    if (room) return room.message(session, message);
    const why = "an end-to-end encryption message came though version 0 is in force";
    session.object("unexpected_dave_message", why);
    return undefined;
  }

  /** Looks at a packet of audio. */
  inspect(session: VoiceSession, payload: Buffer, isSilence: boolean): void {
    const room = this.#rooms.get(`${session.seed.guildId}/${session.seed.channelId}`);
    room?.inspect(session, payload, isSilence);
  }

  /** The session has ended. */
  leave(session: VoiceSession): void {
    const { guildId, channelId, daveVersion } = session.seed;
    const room = this.#rooms.get(`${guildId}/${channelId}`);
    if (!room) return;
    room.leave(session);
    const most = this.#versionIn(guildId, channelId);
    if (daveVersion >= most || room.isEmpty || !this.#lowered.has(room)) return;
    if ([...room.peers()].some(({ maxVersion }) => maxVersion < most)) return;
    this.#lowered.delete(room);
    room.upgrade(most);
  }

  /** Ends all timers. */
  close(): void {
    for (const room of this.#rooms.values()) room.close();
  }

  #versionIn(guildId: string, channelId: string): number {
    return this.#host.isStage(guildId, channelId) ? 0 : this.#host.version;
  }

  #isSenderFirst(): boolean {
    const { externalSender } = this.#host.settings;
    return externalSender === "drawn" ? this.#host.random.chance(0.5) : externalSender === "first";
  }
}
