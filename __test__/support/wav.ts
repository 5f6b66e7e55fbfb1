/** Makes WAV files for tests. */

/** A 16-bit WAV file of interleaved samples from −1 to 1. */
export function wavFile(samples: Float64Array, rate: number, channels: number): Buffer {
  const bytes = Buffer.alloc(44 + samples.length * 2);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(36 + samples.length * 2, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * channels * 2, 28);
  bytes.writeUInt16LE(channels * 2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(samples.length * 2, 40);
  for (const [at, sample] of samples.entries()) {
    bytes.writeInt16LE(Math.round(sample * 32_767), 44 + 2 * at);
  }
  return bytes;
}

/** A signal like music: three decaying chords with harmonics, left and right apart. Interleaved stereo. */
export function musicLike(seconds: number, rate: number): Float64Array {
  const samples = new Float64Array(Math.floor(seconds * rate) * 2);
  const chords = [
    [220, 277.2, 329.6],
    [196, 246.9, 293.7],
    [174.6, 220, 261.6],
  ];
  for (let at = 0; at < samples.length / 2; at++) {
    const time = at / rate;
    const chord = chords[Math.floor(time / 0.5) % chords.length] ?? [];
    const decay = Math.exp(-(time % 0.5) * 2) * Math.min(1, (time % 0.5) / 0.005);
    for (const [voice, frequency] of chord.entries()) {
      for (let harmonic = 1; harmonic <= 5; harmonic++) {
        const value =
          (0.12 * decay * Math.sin(2 * Math.PI * frequency * harmonic * time)) / harmonic;
        samples[2 * at] = (samples[2 * at] ?? 0) + value * (voice === 2 ? 0.6 : 1);
        samples[2 * at + 1] = (samples[2 * at + 1] ?? 0) + value * (voice === 0 ? 0.6 : 1);
      }
    }
  }
  return samples;
}
