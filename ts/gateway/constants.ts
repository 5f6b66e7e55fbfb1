/** Constants of the voice protocol, with the unit in each name; a table that nothing else depends on. */

/** Length of one Opus frame, in milliseconds. */
export const OPUS_FRAME_MS = 20;

/** Samples per channel in one Opus frame. */
export const OPUS_FRAME_SAMPLES = 960;

/** Bytes of one frame as interleaved 16-bit stereo PCM. */
export const OPUS_FRAME_PCM_BYTES = 3840;

/** Largest Opus frame, in bytes (RFC 6716, section 3.4). */
export const MAX_OPUS_FRAME_BYTES = 1275;

/** Clock rate of Opus and of RTP timestamps, in Hz. */
export const OPUS_SAMPLE_RATE_HZ = 48_000;

/** Channels of everything that cadenza encodes. */
export const OPUS_CHANNELS = 2;

/** Bytes of an RTP header without extensions (RFC 3550, section 5.1). */
export const RTP_HEADER_BYTES = 12;

/** Time within which a UDP connection has to be open, IP discovery and its repetitions included, in milliseconds. */
export const UDP_TIMEOUT_MS = 30_000;

/** One frame of Opus silence: 20 ms, the end of which a decoder need not guess. Five of them precede a pause. */
export const SILENCE_FRAME: Readonly<Uint8Array> = Uint8Array.of(0xf8, 0xff, 0xfe);

/** Silence frames sent before a pause, a stop or a stall. */
export const SILENCE_FRAME_COUNT = 5;

/** The voice gateway version that is spoken unless another is asked for. */
export const GATEWAY_VERSION = 8;

/** The end-to-end encryption protocol (DAVE) that is spoken: the first, and the newest there is. */
export const DAVE_PROTOCOL_VERSION = 1;

/** Transport encryption modes as spelled on the wire. Discord offers the first two; the others are discontinued. */
export const EncryptionMode = {
  Aes256GcmRtpSize: "aead_aes256_gcm_rtpsize",
  XChaCha20Poly1305RtpSize: "aead_xchacha20_poly1305_rtpsize",
  XSalsa20Poly1305Lite: "xsalsa20_poly1305_lite",
  XSalsa20Poly1305Suffix: "xsalsa20_poly1305_suffix",
  XSalsa20Poly1305: "xsalsa20_poly1305",
} as const;

/** A mode of {@link EncryptionMode}. */
export type EncryptionMode = (typeof EncryptionMode)[keyof typeof EncryptionMode];

/** Media protocols that Select Protocol can name; bots speak UDP. */
export const Protocol = { Udp: "udp" } as const;

/** A protocol of {@link Protocol}. */
export type Protocol = (typeof Protocol)[keyof typeof Protocol];
