/** The voice gateway's listening side: accepts WebSockets, plain or TLS, and checks their version. */

import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";
import type { DaveClientMessage, Refusal } from "./client-messages.ts";
import type { Mode } from "./crypto.ts";
import type { FaultControls } from "./faults.ts";
import { GatewayConnection } from "./gateway-connection.ts";
import type { VoiceSession } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** Larger frames are refused with close code 1009. */
const MAX_FRAME_BYTES = 256 * 1024;

/** What a gateway server needs from the simulator around it. */
export interface GatewayHost {
  readonly heartbeatIntervalMs: number;
  readonly versions: readonly number[];
  readonly modes: readonly Mode[];
  readonly sessions: Sessions;
  readonly faults: FaultControls;
  /** Where media goes, for Ready. */
  media(): { address: string; port: number };
  /** The channel that credentials lead to, or the code that refuses them. */
  authenticate(secrets: {
    serverId: string;
    userId: string;
    sessionId: string;
    token: string;
    daveVersion: number;
  }): { channelId: string } | { code: number; reason: string };
  /** Sends the session description for a mode that was offered; media goes to `remote`. */
  describe(session: VoiceSession, mode: Mode, remote: { address: string; port: number }): void;
  /** Takes messages about end-to-end encryption; a refusal ends the session. */
  readonly dave: {
    message(session: VoiceSession, message: DaveClientMessage): Refusal | undefined;
  };
  /** Takes the flags of an op 5. */
  speaking(session: VoiceSession, flags: number): void;
  /** Starts the time in which a session can be resumed. */
  expectResume(session: VoiceSession): void;
  /** Something happened that somebody may be waiting for. */
  activity(): void;
}

/** Where and how to listen. */
export interface ListenOptions {
  host: string;
  port: number;
  tls: { key: string; cert: string } | undefined;
}

/** One endpoint of the voice gateway. */
export class GatewayServer {
  readonly #server: Server;
  readonly #websockets: WebSocketServer;
  /** TCP sockets by the peer's port: under TLS only these can be reset. */
  readonly #streams = new Map<number, Socket>();

  private constructor(server: Server, host: GatewayHost) {
    this.#server = server;
    this.#websockets = new WebSocketServer({ server, maxPayload: MAX_FRAME_BYTES });
    server.on("connection", (stream: Socket) => this.#track(stream));
    this.#websockets.on("connection", (socket, request) => {
      const version = versionOf(request.url);
      if (version === undefined || !host.versions.includes(version)) {
        socket.on("error", () => undefined);
        return socket.close(4020, "Unsupported voice gateway version.");
      }
      const stream = this.#streams.get(request.socket.remotePort ?? -1);
      const reset = (): void => {
        stream?.resetAndDestroy();
        socket.terminate();
      };
      new GatewayConnection(socket, host, version, reset);
    });
  }

  /**
   * Starts to listen.
   *
   * @throws the system's error when the address cannot be bound.
   */
  static start({ host, port, tls }: ListenOptions, gateway: GatewayHost): Promise<GatewayServer> {
    const server = tls ? createHttpsServer(tls) : createHttpServer();
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        resolve(new GatewayServer(server, gateway));
      });
    });
  }

  /** The TCP port. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts every connection and stops to listen. */
  async close(): Promise<void> {
    for (const socket of this.#websockets.clients) socket.terminate();
    for (const stream of this.#streams.values()) stream.destroy();
    await new Promise((resolve) => this.#websockets.close(resolve));
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #track(stream: Socket): void {
    const port = stream.remotePort ?? -1;
    this.#streams.set(port, stream);
    stream.on("error", () => undefined);
    stream.on("close", () => {
      if (this.#streams.get(port) === stream) this.#streams.delete(port);
    });
  }
}

/** The `v` of `/?v=8`; the slash may be absent. */
function versionOf(url = ""): number | undefined {
  const query = url.indexOf("?");
  const version = query < 0 ? null : new URLSearchParams(url.slice(query)).get("v");
  return version !== null && /^\d{1,2}$/.test(version) ? Number(version) : undefined;
}
