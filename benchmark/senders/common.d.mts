/** Types of the senders' common part. */

export interface SenderConfig {
  calls: number;
  /** What the calls do. */
  work: "play" | "idle" | "encode" | "shared" | "first";
  endpoint: string;
  /** PEM of the gateway's certificate; empty for a plain gateway. */
  certificate: string;
  ports: number[];
  frames: string;
  ogg: string;
  wav: string;
  /** Joins under way at the same time. */
  joins?: number;
  /** Sending threads, where that can be chosen. */
  pacers?: number;
}

export const config: SenderConfig;
export function say(line: unknown): void;
export function on(text: string, work?: () => void): Promise<void>;
export function loaded(): Promise<void>;
export function forEachCall(work: (call: number) => Promise<void>, atOnce?: number): Promise<void>;
export function readFrames(): Buffer[];
export function keyOf(ssrc: number): Buffer;
export function nowNs(): number;
export function credentialsOf(call: number): {
  guildId: string;
  channelId: string;
  userId: string;
  sessionId: string;
  token: string;
  endpoint: string;
};
