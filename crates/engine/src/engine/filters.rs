//! Filters and volume of a flow: kept for all its tracks, changed while one plays.

use cadenza_audio::filters::FilterSettings;

use super::Engine;
use crate::{EngineError, FlowId};

impl Engine {
    /// Sets the filters of a flow, for what plays and for what comes; the volume of
    /// [`set_volume`](Engine::set_volume) stays. Heard within 60 ms, at the third frame from now; frames
    /// that wait behind it are made again. Sound pushed as Opus is never changed.
    ///
    /// # Errors
    /// [`EngineError::FilterOutOfRange`], and those of an unknown flow.
    pub fn set_filters(&self, flow: FlowId, filters: &FilterSettings) -> Result<(), EngineError> {
        self.change_filters(flow, |present| FilterSettings {
            player_volume: present.player_volume,
            ..*filters
        })
    }

    /// Sets the volume of a flow, 0 to 10, where 1 changes nothing; as
    /// [`set_filters`](Engine::set_filters).
    ///
    /// # Errors
    /// [`EngineError::FilterOutOfRange`], and those of an unknown flow.
    pub fn set_volume(&self, flow: FlowId, volume: f64) -> Result<(), EngineError> {
        self.change_filters(flow, |present| FilterSettings {
            player_volume: volume,
            ..*present
        })
    }

    fn change_filters(
        &self,
        flow: FlowId,
        change: impl FnOnce(&FilterSettings) -> FilterSettings,
    ) -> Result<(), EngineError> {
        let feeds = self.feeds();
        let playing = self.control.with(|table, _| {
            let (entry, _) = table.flow(flow)?;
            let filters = change(&entry.filters);
            filters.check().map_err(EngineError::FilterOutOfRange)?;
            let changed = std::mem::replace(&mut entry.filters, filters) != filters;
            let serial = entry.track.as_ref().map(|playing| playing.serial);
            let asked_at = entry.depth.next();
            Ok::<_, EngineError>(
                serial
                    .filter(|_| changed)
                    .map(|serial| (serial, filters, asked_at)),
            )
        })?;
        if let (Some(feeds), Some((serial, filters, asked_at))) = (&*feeds, playing) {
            feeds.set_filters(flow, serial, &filters, asked_at);
        }
        Ok(())
    }
}
