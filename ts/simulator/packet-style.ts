/** How the media server dresses the packets it sends to clients, and what the way there does to them. */

/** Form of the RTP header extension. */
export type ExtensionStyle = "none" | "empty" | "one_word" | "two_words" | "unknown_profile";

/** RTP padding of one packet: so many bytes (0–255), or a count that cannot be right. */
export type PaddingStyle = number | "zero" | "too_large";

/** How audio is sealed for the other clients of a channel. */
export interface ForwardedAudio {
  /** Header extension: none, an empty one, audio level and speaker flags, or these and a send time. */
  extension: ExtensionStyle;
  /** Contributing sources (0–15) listed in every header. */
  csrcs: number;
  /** Share (0–1) of the packets with 1–255 bytes of RTP padding. */
  paddingShare: number;
  /** Share (0–1) of the packets whose padding count cannot be right. */
  wrongPaddingShare: number;
  /** Share (0–1) of the packets with the marker bit. */
  markerShare: number;
  /** Share (0–1) of the packets beside which a packet of video comes, with an SSRC of its own. */
  foreignShare: number;
  /** Byte order of the nonce counter. */
  counter: "big_endian" | "little_endian";
  /** The counter's first value. */
  firstCounter: number;
  /** Milliseconds between RTCP reports, which come along with the audio; 0 for none. 5,000 is usual in the field. */
  rtcpIntervalMs: number;
}

/** What one packet does differently from {@link ForwardedAudio}. */
export interface PacketStyle {
  extension?: ExtensionStyle;
  csrcs?: number;
  padding?: PaddingStyle;
}

/** What a server does where nothing is asked: one word of extension, padding on a tenth. */
export function ordinaryAudio(): ForwardedAudio {
  return {
    extension: "one_word",
    csrcs: 0,
    paddingShare: 0.1,
    wrongPaddingShare: 0,
    markerShare: 0,
    foreignShare: 0,
    counter: "big_endian",
    firstCounter: 0,
    rtcpIntervalMs: 0,
  };
}
