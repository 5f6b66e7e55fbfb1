/** Compares what the listener heard with what the node sent. */

import { oggOpusPackets } from "./ogg-packets.ts";

/** What {@link verify} looks at. */
export interface Heard {
  /** Opus packets in the order of arrival, the silence frames included. */
  packets: readonly { opus: Uint8Array; sequence: number; silence: boolean }[];
  /** What the simulator objected to. */
  problems: readonly { code: string; message: string }[];
  /** Interleaved stereo samples. */
  pcm: Int16Array;
}

/** The outcome, as sentences for the report. */
export interface Verdict {
  ok: boolean;
  findings: string[];
}

/** Root mean square, of 32,768, under which a recording counts as silent. */
const SILENT_RMS = 10;

/** Checks order, loss, the simulator's objections and, for Ogg Opus played from the start, every byte. */
export function verify(
  heard: Heard,
  sentPackets: number,
  original: Uint8Array | undefined,
): Verdict {
  const findings: string[] = [];
  const check = (good: boolean, yes: string, no: string): boolean => {
    findings.push(`${good ? "✓" : "✗"} ${good ? yes : no}`);
    return good;
  };
  const count = heard.packets.length;
  const checks = [
    check(
      count === sentPackets,
      `all ${count} packets sent were heard`,
      `${sentPackets} packets sent, ${count} heard`,
    ),
    check(inOrder(heard), "sequence without a gap or a repeat", "the sequence has gaps or repeats"),
    check(heard.problems.length === 0, "the simulator has no objection", objection(heard)),
    check(
      rms(heard.pcm) > SILENT_RMS,
      "the decoded sound is not silent",
      "the decoded sound is silent",
    ),
  ];
  const expected = original && oggOpusPackets(original);
  if (expected?.every(is20Ms)) checks.push(bitExact(heard, expected, check));
  return { ok: checks.every(Boolean), findings };
}

function bitExact(
  heard: Heard,
  expected: readonly Uint8Array[],
  check: (good: boolean, yes: string, no: string) => boolean,
): boolean {
  const sounding = heard.packets.filter((packet) => !packet.silence);
  const different = sounding.findIndex(
    (packet, at) => Buffer.compare(packet.opus, expected[at] ?? Buffer.alloc(0)) !== 0,
  );
  const yes = `${sounding.length} Opus packets are bit for bit those of the file`;
  return check(different === -1, yes, `Opus packet ${different} differs from the file's`);
}

/** Whether an Opus packet is one frame of 20 ms (RFC 6716, section 3.1); others are re-framed on their way. */
function is20Ms(packet: Uint8Array): boolean {
  const toc = packet[0] ?? 0;
  const config = toc >> 3;
  const isSilk = config < 12;
  const isHybrid = config >= 12 && config < 16;
  const twenty = isSilk ? config % 4 === 1 : isHybrid ? config % 2 === 1 : config % 4 === 3;
  return twenty && (toc & 3) === 0;
}

function inOrder(heard: Heard): boolean {
  return heard.packets.every((packet, at) => {
    const before = heard.packets[at - 1];
    return !before || packet.sequence === ((before.sequence + 1) & 0xffff);
  });
}

function objection(heard: Heard): string {
  const first = heard.problems[0];
  return `the simulator objects ${heard.problems.length} times, first: ${first?.code}: ${first?.message}`;
}

function rms(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}
