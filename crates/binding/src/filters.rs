//! Filters and volume as JavaScript gives them: `ts/native/filters.ts` has filled in all defaults.

use cadenza_engine::filters::{
    BANDS, ChannelMix, Distortion, FilterSettings, Karaoke, LowPass, Rotation, Swing, Timescale,
};
use napi_derive::napi;

use crate::binding_engine::BindingEngine;
use crate::failure::{BindingFailure, outcome};

/// All filters; a missing one is off.
#[napi(object)]
pub struct BindingFilters {
    /// 0 to 5.
    pub volume: Option<f64>,
    /// Gains of bands 0 to 14; missing ones are 0.
    pub equalizer: Option<Vec<f64>>,
    /// Takes away what both channels share.
    pub karaoke: Option<BindingKaraoke>,
    /// Speed and pitch.
    pub timescale: Option<BindingTimescale>,
    /// Loudness that swings.
    pub tremolo: Option<BindingSwing>,
    /// Pitch that swings.
    pub vibrato: Option<BindingSwing>,
    /// Turns per second.
    pub rotation_hz: Option<f64>,
    /// A waveshaper.
    pub distortion: Option<BindingDistortion>,
    /// A mix of the channels.
    pub channel_mix: Option<BindingChannelMix>,
    /// Smoothing of the low-pass filter.
    pub smoothing: Option<f64>,
}

/// Settings of the karaoke filter.
#[napi(object)]
pub struct BindingKaraoke {
    pub level: f64,
    pub mono_level: f64,
    pub filter_band: f64,
    pub filter_width: f64,
}

/// Settings of the timescale filter.
#[napi(object)]
pub struct BindingTimescale {
    pub speed: f64,
    pub pitch: f64,
    pub rate: f64,
}

/// Settings of tremolo and vibrato.
#[napi(object)]
pub struct BindingSwing {
    pub frequency: f64,
    pub depth: f64,
}

/// Settings of the distortion filter.
#[napi(object)]
pub struct BindingDistortion {
    pub sin_offset: f64,
    pub sin_scale: f64,
    pub cos_offset: f64,
    pub cos_scale: f64,
    pub tan_offset: f64,
    pub tan_scale: f64,
    pub offset: f64,
    pub scale: f64,
}

/// Settings of the channel mix.
#[napi(object)]
pub struct BindingChannelMix {
    pub left_to_left: f64,
    pub left_to_right: f64,
    pub right_to_left: f64,
    pub right_to_right: f64,
}

#[napi]
impl BindingEngine {
    /// Sets the filters of a flow.
    #[napi]
    pub fn set_filters(&self, flow: u32, filters: BindingFilters) -> Option<BindingFailure> {
        outcome(self.engine.set_filters(flow, &filters.into()))
    }

    /// Sets the volume of a flow, 0 to 10.
    #[napi]
    pub fn set_volume(&self, flow: u32, volume: f64) -> Option<BindingFailure> {
        outcome(self.engine.set_volume(flow, volume))
    }
}

impl From<BindingFilters> for FilterSettings {
    fn from(filters: BindingFilters) -> Self {
        let mut equalizer = [0.0; BANDS];
        for (gain, given) in equalizer
            .iter_mut()
            .zip(filters.equalizer.unwrap_or_default())
        {
            *gain = given;
        }
        Self {
            volume: filters.volume.unwrap_or(1.0),
            equalizer,
            karaoke: filters.karaoke.map(Into::into),
            timescale: filters.timescale.map(Into::into),
            tremolo: filters.tremolo.map(Into::into),
            vibrato: filters.vibrato.map(Into::into),
            rotation: filters
                .rotation_hz
                .map(|rotation_hz| Rotation { rotation_hz }),
            distortion: filters.distortion.map(Into::into),
            channel_mix: filters.channel_mix.map(Into::into),
            low_pass: filters.smoothing.map(|smoothing| LowPass { smoothing }),
            ..Self::default()
        }
    }
}

impl From<BindingKaraoke> for Karaoke {
    fn from(karaoke: BindingKaraoke) -> Self {
        Self {
            level: karaoke.level,
            mono_level: karaoke.mono_level,
            filter_band: karaoke.filter_band,
            filter_width: karaoke.filter_width,
        }
    }
}

impl From<BindingTimescale> for Timescale {
    fn from(BindingTimescale { speed, pitch, rate }: BindingTimescale) -> Self {
        Self { speed, pitch, rate }
    }
}

impl From<BindingSwing> for Swing {
    fn from(BindingSwing { frequency, depth }: BindingSwing) -> Self {
        Self { frequency, depth }
    }
}

impl From<BindingDistortion> for Distortion {
    fn from(shape: BindingDistortion) -> Self {
        Self {
            sin_offset: shape.sin_offset,
            sin_scale: shape.sin_scale,
            cos_offset: shape.cos_offset,
            cos_scale: shape.cos_scale,
            tan_offset: shape.tan_offset,
            tan_scale: shape.tan_scale,
            offset: shape.offset,
            scale: shape.scale,
        }
    }
}

impl From<BindingChannelMix> for ChannelMix {
    fn from(mix: BindingChannelMix) -> Self {
        Self {
            left_to_left: mix.left_to_left,
            left_to_right: mix.left_to_right,
            right_to_left: mix.right_to_left,
            right_to_right: mix.right_to_right,
        }
    }
}
