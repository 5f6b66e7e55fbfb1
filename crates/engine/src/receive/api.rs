//! What callers can ask of the receiving side.

use super::{ListenCommand, MediaOpener, ReceiveRequest, ReceiveStats, RecordRequest};
use crate::{Engine, EngineError, FlowId};

impl Engine {
    /// Hears a flow from now on as asked; `None` hears nobody. Until something is asked for, packets of
    /// others cost nothing: the system drops them.
    ///
    /// What was gathered for the former request is handed over first. A new voice session goes on with
    /// the same request.
    ///
    /// # Errors
    /// [`EngineError::UnknownFlow`], [`EngineError::Busy`], [`EngineError::StartFailed`],
    /// [`EngineError::ShutDown`].
    pub fn set_receiving(
        &self,
        flow: FlowId,
        request: Option<ReceiveRequest>,
    ) -> Result<(), EngineError> {
        self.receive().set_receiving(flow, request)
    }

    /// Notes whose an SSRC is. A user may have several; the newest owner of an SSRC counts. Opening a
    /// transport forgets them all.
    pub fn map_ssrc(&self, flow: FlowId, ssrc: u32, user: u64) {
        let command = ListenCommand::Map { ssrc, user };
        self.receive().listen(flow, command);
    }

    /// Forgets a user who has left, with all SSRCs.
    pub fn unmap_user(&self, flow: FlowId, user: u64) {
        self.receive().listen(flow, ListenCommand::Unmap { user });
    }

    /// Opens payloads of a flow in this way from now on.
    pub fn set_media_opener(&self, flow: FlowId, opener: Box<dyn MediaOpener>) {
        self.receive().listen(flow, ListenCommand::Media(opener));
    }

    /// Takes the oldest batch of sound, if one waits. After [`AudioReady`](super::ReceiveEvent::AudioReady) call it
    /// until there is none.
    pub fn take_audio(&self, flow: FlowId) -> Option<Vec<u8>> {
        self.receive().take_audio(flow)
    }

    /// Begins a recording and returns its number. Files are written by the engine alone; an event tells when
    /// they are whole, or that one could not be written.
    ///
    /// # Errors
    /// [`EngineError::InvalidRecording`], [`EngineError::TooManyRecordings`], and those of
    /// [`set_receiving`](Engine::set_receiving).
    pub fn record(&self, flow: FlowId, request: RecordRequest) -> Result<u32, EngineError> {
        self.receive().record(flow, request)
    }

    /// Ends a recording; unknown ones are ignored.
    pub fn stop_recording(&self, flow: FlowId, recording: u32) {
        self.receive().stop_recording(flow, recording);
    }

    /// Counters of a flow's receiving side.
    pub fn receive_stats(&self, flow: FlowId) -> ReceiveStats {
        self.receive().stats(flow)
    }
}
