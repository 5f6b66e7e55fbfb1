//! What can be chosen for each filter: fields, units, ranges and defaults.

use std::fmt;

/// Bands of the equalizer.
pub const BANDS: usize = 15;

/// Settings of all filters of a player. `None` is off.
///
/// Names, ranges and meaning are those of Lavalink v4; `docs/reference/filters.md` has them all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterSettings {
    /// The player's own volume, 0 to 10, on the curve of [`volume_gain`]. Default 1, unchanged.
    pub player_volume: f64,
    /// The volume filter, 0 to 5, on the same curve. Default 1, unchanged.
    pub volume: f64,
    /// Gain of each band, -0.25 (removed) to 1; 0.25 doubles the band. Default 0.
    pub equalizer: [f64; BANDS],
    /// Takes away what both channels share.
    pub karaoke: Option<Karaoke>,
    /// Speed and pitch.
    pub timescale: Option<Timescale>,
    /// Loudness that swings.
    pub tremolo: Option<Swing>,
    /// Pitch that swings.
    pub vibrato: Option<Swing>,
    /// Sound that goes around the listener.
    pub rotation: Option<Rotation>,
    /// A waveshaper.
    pub distortion: Option<Distortion>,
    /// A mix of the channels.
    pub channel_mix: Option<ChannelMix>,
    /// Fewer high tones.
    pub low_pass: Option<LowPass>,
}

impl Default for FilterSettings {
    fn default() -> FilterSettings {
        FilterSettings {
            player_volume: 1.0,
            volume: 1.0,
            equalizer: [0.0; BANDS],
            karaoke: None,
            timescale: None,
            tremolo: None,
            vibrato: None,
            rotation: None,
            distortion: None,
            channel_mix: None,
            low_pass: None,
        }
    }
}

/// Settings of the karaoke filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Karaoke {
    /// How much of the other channel is taken away, 0 to 1. Default 1.
    pub level: f64,
    /// How much of the band around `filter_band` comes back, 0 to 1. Default 1.
    pub mono_level: f64,
    /// Centre of that band in Hz, 0 to 24,000. Default 220.
    pub filter_band: f64,
    /// Width of that band in Hz, 0 to 24,000. Default 100.
    pub filter_width: f64,
}

impl Default for Karaoke {
    fn default() -> Karaoke {
        Karaoke {
            level: 1.0,
            mono_level: 1.0,
            filter_band: 220.0,
            filter_width: 100.0,
        }
    }
}

/// Settings of the timescale filter. Each is a factor from 0.1 to 10, default 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timescale {
    /// Faster, at the same pitch.
    pub speed: f64,
    /// Higher, at the same speed.
    pub pitch: f64,
    /// Faster and higher, as a record that turns faster.
    pub rate: f64,
}

impl Default for Timescale {
    fn default() -> Timescale {
        Timescale {
            speed: 1.0,
            pitch: 1.0,
            rate: 1.0,
        }
    }
}

/// Settings of tremolo and vibrato.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swing {
    /// Swings per second, in Hz, above 0 (vibrato: at most 14). Default 2.
    pub frequency: f64,
    /// How far it swings, 0 (off) to 1. Default 0.5.
    pub depth: f64,
}

impl Default for Swing {
    fn default() -> Swing {
        Swing {
            frequency: 2.0,
            depth: 0.5,
        }
    }
}

/// Settings of the rotation filter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rotation {
    /// Turns per second, in Hz; negative turns the other way, 0 is off. Default 0.
    pub rotation_hz: f64,
}

/// Settings of the distortion filter; any finite numbers.
///
/// `offset + scale (sin_offset + sin(x sin_scale)) (cos_offset + cos(x cos_scale))
/// (tan_offset + tan(x tan_scale))`, held between -1 and 1. All defaults together are off.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the formula above says what each field does")]
pub struct Distortion {
    pub sin_offset: f64,
    pub sin_scale: f64,
    pub cos_offset: f64,
    pub cos_scale: f64,
    pub tan_offset: f64,
    pub tan_scale: f64,
    pub offset: f64,
    pub scale: f64,
}

impl Default for Distortion {
    fn default() -> Distortion {
        Distortion {
            sin_offset: 0.0,
            sin_scale: 1.0,
            cos_offset: 0.0,
            cos_scale: 1.0,
            tan_offset: 0.0,
            tan_scale: 1.0,
            offset: 0.0,
            scale: 1.0,
        }
    }
}

/// Settings of the channel mix; each 0 to 1. Defaults: every channel stays where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "from which channel to which one")]
pub struct ChannelMix {
    pub left_to_left: f64,
    pub left_to_right: f64,
    pub right_to_left: f64,
    pub right_to_right: f64,
}

impl Default for ChannelMix {
    fn default() -> ChannelMix {
        ChannelMix {
            left_to_left: 1.0,
            left_to_right: 0.0,
            right_to_left: 0.0,
            right_to_right: 1.0,
        }
    }
}

/// Settings of the low-pass filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowPass {
    /// From 1 (off) upwards; -3 dB near 48,000 / (2π smoothing) Hz, 380 Hz at 20. Default 20.
    pub smoothing: f64,
}

impl Default for LowPass {
    fn default() -> LowPass {
        LowPass { smoothing: 20.0 }
    }
}

/// A setting outside its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutOfRange {
    /// Path of the field, such as `low_pass.smoothing`.
    pub field: &'static str,
    /// What the field takes.
    pub allowed: &'static str,
    /// What it was.
    pub value: f64,
}

impl std::error::Error for OutOfRange {}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} takes {}, not {}",
            self.field, self.allowed, self.value
        )
    }
}

impl FilterSettings {
    /// Names the first setting that is outside its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("player_volume", self.player_volume, 0.0, 10.0, "0 to 10")?;
        within("volume", self.volume, 0.0, 5.0, "0 to 5")?;
        for gain in self.equalizer {
            within("equalizer.gain", gain, -0.25, 1.0, "-0.25 to 1")?;
        }
        self.check_karaoke()?;
        self.check_timescale()?;
        let tremolo = self.tremolo.unwrap_or_default();
        positive("tremolo.frequency", tremolo.frequency)?;
        within("tremolo.depth", tremolo.depth, 0.0, 1.0, "0 to 1")?;
        let vibrato = self.vibrato.unwrap_or_default();
        positive("vibrato.frequency", vibrato.frequency)?;
        let at_most_14 = "more than 0, up to 14";
        within(
            "vibrato.frequency",
            vibrato.frequency,
            0.0,
            14.0,
            at_most_14,
        )?;
        within("vibrato.depth", vibrato.depth, 0.0, 1.0, "0 to 1")?;
        finite(
            "rotation.rotation_hz",
            self.rotation.unwrap_or_default().rotation_hz,
        )?;
        self.check_shapes()
    }

    fn check_karaoke(&self) -> Result<(), OutOfRange> {
        let karaoke = self.karaoke.unwrap_or_default();
        within("karaoke.level", karaoke.level, 0.0, 1.0, "0 to 1")?;
        within("karaoke.mono_level", karaoke.mono_level, 0.0, 1.0, "0 to 1")?;
        let hertz = "0 to 24000";
        within(
            "karaoke.filter_band",
            karaoke.filter_band,
            0.0,
            24_000.0,
            hertz,
        )?;
        within(
            "karaoke.filter_width",
            karaoke.filter_width,
            0.0,
            24_000.0,
            hertz,
        )
    }

    fn check_timescale(&self) -> Result<(), OutOfRange> {
        let Timescale { speed, pitch, rate } = self.timescale.unwrap_or_default();
        let allowed = "0.1 to 10";
        within("timescale.speed", speed, 0.1, 10.0, allowed)?;
        within("timescale.pitch", pitch, 0.1, 10.0, allowed)?;
        within("timescale.rate", rate, 0.1, 10.0, allowed)?;
        let product =
            "values with speed * rate, pitch * rate and speed / pitch each from 0.1 to 10";
        for product_value in [speed * rate, pitch * rate, speed / pitch] {
            // Decimal fractions may miss the ends by a rounding.
            within("timescale", product_value, 0.099_999, 10.000_1, product)?;
        }
        Ok(())
    }

    fn check_shapes(&self) -> Result<(), OutOfRange> {
        let shape = self.distortion.unwrap_or_default();
        for (field, value) in [
            ("distortion.sin_offset", shape.sin_offset),
            ("distortion.sin_scale", shape.sin_scale),
            ("distortion.cos_offset", shape.cos_offset),
            ("distortion.cos_scale", shape.cos_scale),
            ("distortion.tan_offset", shape.tan_offset),
            ("distortion.tan_scale", shape.tan_scale),
            ("distortion.offset", shape.offset),
            ("distortion.scale", shape.scale),
        ] {
            finite(field, value)?;
        }
        let mix = self.channel_mix.unwrap_or_default();
        for (field, value) in [
            ("channel_mix.left_to_left", mix.left_to_left),
            ("channel_mix.left_to_right", mix.left_to_right),
            ("channel_mix.right_to_left", mix.right_to_left),
            ("channel_mix.right_to_right", mix.right_to_right),
        ] {
            within(field, value, 0.0, 1.0, "0 to 1")?;
        }
        let smoothing = self.low_pass.unwrap_or_default().smoothing;
        within("low_pass.smoothing", smoothing, 1.0, f64::MAX, "1 or more")
    }

    /// Whether these settings change nothing, so that Opus may pass through.
    pub fn is_neutral(&self) -> bool {
        let timescale = self.timescale.unwrap_or_default();
        volume_gain(self.player_volume) == 1.0
            && volume_gain(self.volume) == 1.0
            && self.equalizer == [0.0; BANDS]
            && self.karaoke.is_none_or(|karaoke| karaoke.level == 0.0)
            && timescale == Timescale::default()
            && self.tremolo.is_none_or(|tremolo| tremolo.depth == 0.0)
            && self.vibrato.is_none_or(|vibrato| vibrato.depth == 0.0)
            && self.rotation.unwrap_or_default().rotation_hz == 0.0
            && self.distortion.unwrap_or_default() == Distortion::default()
            && self.channel_mix.unwrap_or_default() == ChannelMix::default()
            && self
                .low_pass
                .is_none_or(|low_pass| low_pass.smoothing <= 1.0)
    }
}

/// The factor that a volume stands for: 1 at 1, 0.417 at 0.5, 3.28 at 2 (Lavalink's curve).
pub fn volume_gain(volume: f64) -> f64 {
    if (volume - 1.0).abs() < 0.02 {
        1.0
    } else if volume <= 1.5 {
        (0.79 * volume).tan()
    } else {
        1.6408 * volume
    }
}

fn within(
    field: &'static str,
    value: f64,
    least: f64,
    most: f64,
    allowed: &'static str,
) -> Result<(), OutOfRange> {
    // NaN is within no range.
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(OutOfRange {
            field,
            allowed,
            value,
        })
    }
}

fn positive(field: &'static str, value: f64) -> Result<(), OutOfRange> {
    within(field, value, f64::MIN_POSITIVE, f64::MAX, "more than 0")
}

fn finite(field: &'static str, value: f64) -> Result<(), OutOfRange> {
    within(field, value, f64::MIN, f64::MAX, "any finite number")
}
