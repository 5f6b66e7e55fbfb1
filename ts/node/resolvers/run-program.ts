/** Runs a program that answers on its standard output: no shell, bounded output, and no process left behind. */

import { spawn } from "node:child_process";

/** Bytes of standard error that are kept. */
const MAX_ERROR_BYTES = 64 * 1024;

/** What became of a program. */
export interface ProgramResult {
  /** Exit code; null when a signal ended it. */
  code: number | null;
  output: string;
  /** The end of what it said on standard error. */
  errors: string;
}

/**
 * Runs a program to its end. It is killed, with all that it started, when the signal is aborted or it says too much.
 *
 * @param maxBytes Bytes of standard output that are read.
 * @throws Error when it cannot be started or says too much; the reason of `signal`.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  maxBytes: number,
  signal: AbortSignal,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // A group of its own, so that helpers of the program end with it.
    const detached = process.platform !== "win32";
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached });
    const kill = (): void => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      try {
        process.kill(detached ? -child.pid : child.pid, "SIGKILL");
      } catch {
        child.kill("SIGKILL");
      }
    };
    const chunks: Buffer[] = [];
    let bytes = 0;
    let errors = Buffer.alloc(0);
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else kill();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors = Buffer.concat([errors, chunk]).subarray(-MAX_ERROR_BYTES);
    });
    signal.addEventListener("abort", kill, { once: true });
    child.once("error", (error) => {
      signal.removeEventListener("abort", kill);
      reject(error);
    });
    child.once("close", (code) => {
      signal.removeEventListener("abort", kill);
      if (signal.aborted) return reject(signal.reason);
      if (bytes > maxBytes) return reject(new Error("the program says too much"));
      resolve({ code, output: Buffer.concat(chunks).toString("utf8"), errors: String(errors) });
    });
  });
}
