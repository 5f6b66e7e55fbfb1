/** RTCP as the media server sends it beside the audio: a sender report and a receiver report, sealed. */

import { seal } from "./crypto.ts";
import type { ForwardedAudio } from "./packet-style.ts";
import type { MediaKey, VoiceSession } from "./session.ts";

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
/** Header and sender SSRC stay in clear. */
const CLEAR_BYTES = 8;

/** A compound packet for a receiver whose key is known; a broken one does not authenticate. */
export function rtcpDatagram(
  to: VoiceSession,
  media: MediaKey,
  style: ForwardedAudio,
  o: { ssrc: number; isBroken: boolean },
): Buffer {
  const compound = Buffer.concat([senderReport(o.ssrc), receiverReport(o.ssrc, to.seed.ssrc)]);
  const counter = (style.firstCounter + to.sealed++) >>> 0;
  const datagram = seal(
    media.mode,
    media.key,
    compound.subarray(0, CLEAR_BYTES),
    compound.subarray(CLEAR_BYTES),
    counter,
    style.counter === "little_endian",
  );
  if (o.isBroken) datagram[CLEAR_BYTES] = (datagram[CLEAR_BYTES] ?? 0) ^ 1;
  return datagram;
}

/** RFC 3550, section 6.4.1, without report blocks. */
function senderReport(ssrc: number): Buffer {
  const report = Buffer.alloc(28);
  report.writeUInt8(0x80, 0);
  report.writeUInt8(SENDER_REPORT, 1);
  report.writeUInt16BE(report.length / 4 - 1, 2);
  report.writeUInt32BE(ssrc, 4);
  return report;
}

/** RFC 3550, section 6.4.2, with one report block. */
function receiverReport(ssrc: number, about: number): Buffer {
  const report = Buffer.alloc(32);
  report.writeUInt8(0x81, 0);
  report.writeUInt8(RECEIVER_REPORT, 1);
  report.writeUInt16BE(report.length / 4 - 1, 2);
  report.writeUInt32BE(ssrc, 4);
  report.writeUInt32BE(about, 8);
  return report;
}
