/** Pushed tracks and encoder settings: the shapes that cross to the engine. */

/** Settings of the Opus encoder, for every track that is encoded. All may change while it plays. */
export interface EncoderOptions {
  /** Bits per second, 6 000 to 510 000. Default 128 000. */
  bitrate?: number;
  /** Effort, 0 to 10. Default 10. Under load the engine allows less; see {@link EncodingStats}. */
  complexity?: number;
  /**
   * Puts a coarse copy of each frame into the next one, for receivers that lost it. Default false.
   * Only speech at low rates has room for it.
   */
  fec?: boolean;
  /** Share of packets that gets lost on the way, 0 to 100. Default 0. */
  expectedLossPercent?: number;
  /** What the sound is. Default `auto`. */
  signal?: "auto" | "music" | "voice";
}

/** What decoding and encoding cost, and what the engine does about it. */
export interface EncodingStats {
  /** The highest Opus complexity allowed at present; 10 unless the workers are busy. */
  complexityCap: number;
  /** Share of the workers' time that the last quarter second of work took, 0 to 1000. */
  busyPermille: number;
  /** Times the complexity was lowered because of load. */
  lowered: number;
  /** Frames encoded since the start. What a shared player plays counts once. */
  encoded: number;
}

/** The shape of pushed samples: little-endian and interleaved. */
export interface PcmShape {
  /** 16-bit integers or 32-bit floats. Default `s16le`. */
  sampleType?: "s16le" | "f32le";
  /** Hz, 4 000 to 384 000. Default 48 000. */
  sampleRate?: number;
  /** 1 to 8. Default 2. */
  channels?: number;
}

/** A track whose sound is pushed; it replaces what plays. */
export interface PushRequest {
  /** Chosen by the caller; comes back in the track's events. */
  track: number;
  /** The shape of samples. Without it, 20 ms Opus packets are pushed, which are sent as they are. */
  pcm?: PcmShape;
  /** Bytes of a file in any format that can be played are pushed; a range of source time. Not beside `pcm`. */
  file?: { startMs?: number; endMs?: number };
  /** For samples and files. */
  encoder?: EncoderOptions;
}

/** The part of a flow that takes sound from outside. */
export interface PushingFlow {
  /**
   * Begins a pushed track. `frames_wanted` follows at once, and again whenever little is left: below
   * 400 ms of Opus frames or 500 ms of samples. Between the two, `track_started`, `track_starved`,
   * `track_stalled` and `track_ended` tell of it as of any other track.
   *
   * @throws CadenzaError `invalid_format` for samples of an impossible shape.
   */
  openPush(request: PushRequest): void;
  /**
   * Hands 20 ms Opus packets to the flow; returns how many were taken, from the front. With `end`,
   * and if all were taken, the track ends after them.
   */
  pushFrames(frames: readonly Uint8Array[], end?: boolean): number;
  /**
   * Hands samples to the flow; returns how many bytes were taken, from the front. With `end`, and if
   * all were taken, the track ends after them.
   */
  pushBytes(bytes: Uint8Array, end?: boolean): number;
  /** Marks the end of what is pushed: the track ends when what waits has been sent. */
  endPush(): void;
  /**
   * Changes encoder settings of what plays and of what is played later; those left out stay. Heard
   * within half a second. Tracks that pass through are not touched.
   */
  setEncoder(encoder: EncoderOptions): void;
}
