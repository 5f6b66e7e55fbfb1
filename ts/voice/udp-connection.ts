/** The UDP side of a call: IP discovery, keys, and raw frames, over the native flow. */

import { UDP_TIMEOUT_MS } from "../gateway/constants.ts";
import type { EngineLike, FlowEvent, FlowLike, SessionKeys, UdpAddress } from "../native/index.ts";
import { Engine } from "../native/index.ts";
import { CadenzaError } from "../support/errors.ts";
import { checkSession } from "./checks.ts";
import { checkedFrame } from "./frames.ts";

/** Where to send, as Ready said. */
export interface UdpTarget extends UdpAddress {
  /** The SSRC that the server assigned. */
  ssrc: number;
}

/** Options of {@link UdpLike.open}. */
export interface UdpOpenOptions {
  signal?: AbortSignal;
  /** Milliseconds for IP discovery, repetitions included. Default 30 000; the native one gives up after 10 000. */
  timeoutMs?: number;
}

/** What a voice connection needs of its UDP connection; {@link UdpConnection} fits, and so do stand-ins. */
export interface UdpLike {
  /** This machine's end; undefined while closed. */
  readonly localAddress: UdpAddress | undefined;
  /** The voice server's end; undefined while closed. */
  readonly remoteAddress: UdpAddress | undefined;
  /** This machine's end as the voice server sees it; undefined before discovery. */
  readonly externalAddress: UdpAddress | undefined;
  /** Opens a socket and finds the external address. One that is open is closed first. */
  open(target: UdpTarget, options?: UdpOpenOptions): Promise<UdpAddress>;
  /** Installs the mode and the key that seal and open packets. */
  setSession(session: SessionKeys): void;
  /**
   * Sends one Opus frame of 20 ms when its time has come, at once if nothing waits; false when it found no room.
   *
   * @throws CadenzaError `invalid_frame` for what cannot be one.
   */
  write(frame: Uint8Array): boolean;
  /** Closes the socket. Idempotent; {@link UdpLike.open} may follow. */
  close(): void;
}

/** What the UDP connection of a call is made of. */
export interface UdpParts {
  /** The native side of the call; a stand-in need not use it. */
  flow: FlowLike;
  /** Tells that an open socket failed; the session is begun anew. */
  failed?: (error: CadenzaError) => void;
}

/** Makes the UDP connection of a connection. */
export type CreateUdp = (parts: UdpParts) => UdpLike;

/** A UDP connection to a voice server. The packets themselves are sealed, paced and sent in Rust. */
export class UdpConnection implements UdpLike {
  readonly #flow: FlowLike;
  #generation = 0;
  #external: UdpAddress | undefined;
  #opening: { found(address: UdpAddress): void; fail(error: CadenzaError): void } | undefined;
  readonly #onFailed: ((error: CadenzaError) => void) | undefined;

  constructor(parts: UdpParts) {
    this.#flow = parts.flow;
    this.#onFailed = parts.failed;
  }

  /** A connection of its own, on a new flow of an engine; close it with {@link UdpConnection.destroy}. */
  static create(engine: EngineLike = Engine.shared()): UdpConnection {
    const flow = engine.createFlow((event) => connection.handle(event));
    const connection = new UdpConnection({ flow });
    return connection;
  }

  get localAddress(): UdpAddress | undefined {
    return this.#flow.addresses()?.local;
  }

  get remoteAddress(): UdpAddress | undefined {
    return this.#flow.addresses()?.remote;
  }

  get externalAddress(): UdpAddress | undefined {
    return this.#external;
  }

  /**
   * Opens a socket and finds the external address: ten requests, a second apart.
   *
   * @throws CadenzaError `transport_failed` when no answer comes or the socket fails, `aborted` by the
   * signal, by a close or by another opening, `invalid_argument` for an address or a port that cannot be,
   * `socket_failed` when the system refuses a socket.
   */
  open(target: UdpTarget, options: UdpOpenOptions = {}): Promise<UdpAddress> {
    const { signal, timeoutMs = UDP_TIMEOUT_MS } = options;
    this.close();
    this.#generation += 1;
    const generation = this.#generation;
    return new Promise<UdpAddress>((resolve, reject) => {
      const settled = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#opening = undefined;
      };
      const fail = (error: CadenzaError): void => {
        settled();
        reject(error);
      };
      const found = (address: UdpAddress): void => {
        settled();
        resolve(address);
      };
      const abort = (): void => this.close();
      const timer = setTimeout(() => {
        fail(new CadenzaError("transport_failed", `No answer within ${timeoutMs} ms.`));
        this.close();
      }, timeoutMs);
      timer.unref();
      this.#opening = { found, fail };
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
      else this.#openFlow({ ...target, generation });
    });
  }

  setSession(session: SessionKeys): void {
    checkSession(session);
    this.#flow.startSession(session);
  }

  write(frame: Uint8Array): boolean {
    const checked = checkedFrame(frame);
    return checked !== undefined && this.#flow.pushFrames([checked]) === 1;
  }

  close(): void {
    this.#external = undefined;
    this.#flow.closeTransport();
    this.#opening?.fail(new CadenzaError("aborted", "The UDP connection was closed."));
  }

  /** Closes for good and frees the flow. */
  destroy(): void {
    this.close();
    this.#flow.close();
  }

  /** Takes the events of the native flow; called by whoever made it. */
  handle(event: FlowEvent): void {
    if (!("generation" in event) || event.generation !== this.#generation) return;
    switch (event.type) {
      case "discovered": {
        const { address, port } = event;
        this.#external = { address, port };
        this.#opening?.found({ address, port });
        return;
      }
      case "discovery_failed":
        return this.#fail(event.reason);
      case "transport_failed":
        return this.#fail(event.message);
    }
  }

  #openFlow(target: UdpTarget & { generation: number }): void {
    const { address, port, ssrc } = target;
    if (
      typeof address !== "string" ||
      !isWhole(port, 1, 0xffff) ||
      !isWhole(ssrc, 0, 0xffff_ffff)
    ) {
      const message = "An address is an IPv4 literal, a port 1 to 65535, an SSRC 0 to 4294967295.";
      this.#opening?.fail(new CadenzaError("invalid_argument", message));
      return;
    }
    try {
      this.#flow.openTransport(target);
    } catch (error) {
      this.#opening?.fail(error as CadenzaError);
    }
  }

  #fail(message: string): void {
    const error = new CadenzaError("transport_failed", message);
    if (this.#opening) this.#opening.fail(error);
    else this.#onFailed?.(error);
  }
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
