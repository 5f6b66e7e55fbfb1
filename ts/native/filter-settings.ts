/** What may be set of each filter. Ranges are kept by filters.ts; docs/reference/filters.md has them in a table. */

/** One band of the equalizer. */
export interface EqualizerBand {
  /** 0 to 14, from 25 Hz to 16 kHz. */
  band: number;
  /** -0.25 (removed) to 1; 0.25 doubles the band, 0 leaves it. Default 1 in a band that is given. */
  gain?: number | undefined;
}

/** Takes away what both channels share, which is where singers are. */
export interface KaraokeSettings {
  /** How much of the other channel is taken away, 0 to 1. Default 1. */
  level?: number | undefined;
  /** How much of the band around `filterBand` comes back, 0 to 1. Default 1. */
  monoLevel?: number | undefined;
  /** Centre of that band, 0 to 24,000 Hz. Default 220. */
  filterBand?: number | undefined;
  /** Width of that band, 0 to 24,000 Hz. Default 100. */
  filterWidth?: number | undefined;
}

/** Speed and pitch, each a factor from 0.1 to 10 with default 1; so are speed × rate, pitch × rate and speed ÷ pitch. */
export interface TimescaleSettings {
  /** Faster, at the same pitch. */
  speed?: number | undefined;
  /** Higher, at the same speed. */
  pitch?: number | undefined;
  /** Faster and higher, as a record that turns faster. */
  rate?: number | undefined;
}

/** Loudness (tremolo) or pitch (vibrato) that swings. */
export interface SwingSettings {
  /** Swings per second, more than 0 Hz; vibrato at most 14. Default 2. */
  frequency?: number | undefined;
  /** How far, 0 (off) to 1. Default 0.5. */
  depth?: number | undefined;
}

/** Sound that goes around the listener. */
export interface RotationSettings {
  /** Turns per second, negative the other way. Default 0, which is off. */
  rotationHz?: number | undefined;
}

/** A waveshaper: `offset + scale (sinOffset + sin(x sinScale)) (cosOffset + cos(x cosScale)) (tanOffset + tan(x tanScale))`. */
export interface DistortionSettings {
  sinOffset?: number | undefined;
  sinScale?: number | undefined;
  cosOffset?: number | undefined;
  cosScale?: number | undefined;
  tanOffset?: number | undefined;
  tanScale?: number | undefined;
  offset?: number | undefined;
  scale?: number | undefined;
}

/** How much of each channel goes where, each 0 to 1. */
export interface ChannelMixSettings {
  leftToLeft?: number | undefined;
  leftToRight?: number | undefined;
  rightToLeft?: number | undefined;
  rightToRight?: number | undefined;
}

/** Fewer high tones. */
export interface LowPassSettings {
  /** From 1 (off) upwards: -3 dB near 48,000 / (2π smoothing) Hz. Default 20. */
  smoothing?: number | undefined;
}

/** All filters. What is missing, undefined or null is off; fields missing inside a filter take their defaults. */
export interface FilterSettings {
  /** 0 to 5 on the curve of the player's volume. Default 1. */
  volume?: number | null | undefined;
  /** Bands that are not given have a gain of 0. */
  equalizer?: readonly EqualizerBand[] | null | undefined;
  karaoke?: KaraokeSettings | null | undefined;
  timescale?: TimescaleSettings | null | undefined;
  tremolo?: SwingSettings | null | undefined;
  vibrato?: SwingSettings | null | undefined;
  rotation?: RotationSettings | null | undefined;
  distortion?: DistortionSettings | null | undefined;
  channelMix?: ChannelMixSettings | null | undefined;
  lowPass?: LowPassSettings | null | undefined;
}
