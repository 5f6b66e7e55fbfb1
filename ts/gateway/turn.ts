/** One step of the machine under way: a draft of the new state and the outputs so far. */

import { VoiceOpcode } from "./opcodes.ts";
import type { GatewayStatus, MachineOutput, MachineState, Reason, TimerName } from "./state.ts";

/** Acknowledgements of older heartbeats than these are no longer waited for. */
const MAX_OUTSTANDING = 8;

/** A step that is being taken. */
export class Turn {
  state: MachineState;
  readonly outputs: MachineOutput[] = [];
  readonly nowMs: number;
  /** From 0 to 1, for the jitter of a delay. */
  readonly random: number;

  constructor(state: MachineState, nowMs: number, random: number) {
    this.state = state;
    this.nowMs = nowMs;
    this.random = random;
  }

  /** Changes some of the state. */
  set(change: Partial<MachineState>): void {
    this.state = { ...this.state, ...change };
  }

  /** Adds an output. */
  emit(output: MachineOutput): void {
    this.outputs.push(output);
  }

  /** Enters a status, which may last `phaseMs` at most. */
  enter(status: GatewayStatus, options: { phaseMs?: number; reason?: Reason } = {}): void {
    const { phaseMs, reason } = options;
    this.set({ status });
    this.emit(reason ? { type: "status", status, reason } : { type: "status", status });
    if (phaseMs === undefined) this.clear("phase");
    else this.emit({ type: "set_timer", timer: "phase", afterMs: phaseMs });
  }

  /** Stops a timer. */
  clear(timer: TimerName): void {
    this.emit({ type: "clear_timer", timer });
  }

  /** Opens a new socket; what the one before still says will be ignored. */
  connect(): void {
    const { credentials, config } = this.state;
    if (!credentials) return;
    const generation = this.state.socket + 1;
    this.set({ socket: generation, socketLive: true, heartbeat: undefined });
    this.set({ awaitedBecause: undefined });
    this.clear("retry");
    this.emit({
      type: "connect",
      generation,
      url: gatewayUrl(credentials.endpoint, config.version),
    });
    this.enter("connecting", { phaseMs: config.timeouts.connect });
  }

  /** Closes the socket, if there is one, and stops the heart. */
  dropSocket(code: number): void {
    if (this.state.socketLive) this.emit({ type: "close_socket", code });
    this.set({ socketLive: false, heartbeat: undefined, socket: this.state.socket + 1 });
    this.clear("heartbeat");
  }

  /** Forgets the session: transport, sequence, keys. */
  dropSession(): void {
    if (this.state.transport > 0) this.emit({ type: "close_transport" });
    if (this.state.daveOpen) this.emit({ type: "dave", command: { type: "close" } });
    this.set({
      daveOpen: false,
      heldReplies: [],
      established: false,
      seqAck: -1,
      mode: undefined,
      transport: this.state.transport + 1,
    });
  }

  /** Gives up session and credentials; `because` becomes the end's reason if no new ones come. */
  forget(because: Reason): void {
    this.dropSession();
    const spent = this.state.credentials ?? this.state.spent;
    this.set({ credentials: undefined, spent, awaitedBecause: because });
    this.clear("retry");
  }

  /** Ends the connection for a reason. */
  end(reason: Reason): void {
    this.dropSocket(1000);
    this.dropSession();
    this.clear("retry");
    this.set({ credentials: undefined, spent: undefined, refusedModes: [] });
    this.enter("disconnected", { reason });
  }

  /** Whether the old session lives on while credentials of the next are awaited. */
  awaitsMove(): boolean {
    const { status, socketLive, spent, established } = this.state;
    return status === "unconnected" && spent !== undefined && established && socketLive;
  }

  /** Sends the heartbeat that is due and sets the next. */
  beat(): void {
    const { heartbeat } = this.state;
    if (!heartbeat) return;
    this.set({ heartbeat: { ...heartbeat, unanswered: heartbeat.unanswered + 1 } });
    this.sendHeartbeat();
    this.emit({ type: "set_timer", timer: "heartbeat", afterMs: heartbeat.intervalMs });
  }

  /** Sends a heartbeat. */
  sendHeartbeat(): void {
    const { heartbeat, config, seqAck } = this.state;
    if (!heartbeat) return;
    const outstanding = [...heartbeat.outstanding, this.nowMs].slice(-MAX_OUTSTANDING);
    this.set({ heartbeat: { ...heartbeat, outstanding } });
    const t = Math.round(this.nowMs);
    const d = config.version >= 8 ? { t, seq_ack: seqAck } : t;
    this.emit({ type: "send", message: { op: VoiceOpcode.Heartbeat, d } });
  }

  /** Tells the server who speaks. */
  speak(flags: number): void {
    this.set({ speaking: flags });
    const d = { speaking: flags, delay: 0 as const, ssrc: this.state.ssrc };
    this.emit({ type: "send", message: { op: VoiceOpcode.Speaking, d } });
  }
}

/** The URL of an endpoint, port included as given; 443 where none is. */
export function gatewayUrl(endpoint: string, version: number): string {
  const base = endpoint.startsWith("ws://") ? endpoint : `wss://${endpoint}`;
  return `${base}/?v=${version}`;
}

/** Whether an endpoint is `host`, `host:port`, or, where allowed, `ws://host:port`. */
export function isEndpoint(endpoint: string, insecure: boolean): boolean {
  const bare = insecure ? endpoint.replace(/^ws:\/\//, "") : endpoint;
  const parts = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::(\d{1,5}))?$/i.exec(bare);
  if (!parts) return false;
  const port = parts[1] === undefined ? 443 : Number(parts[1]);
  return port >= 1 && port <= 65_535;
}
