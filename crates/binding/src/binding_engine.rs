//! `BindingEngine`: the engine's methods, one to one.

use std::sync::Arc;

use cadenza_engine::{Engine, EngineEvent};
use napi::bindgen_prelude::{AsyncTask, Function, Uint8Array};
use napi::threadsafe_function::{ThreadsafeFunctionCallMode, UnknownReturnValue};
use napi::{Env, Task};
use napi_derive::napi;

use crate::event::BindingEvent;
use crate::failure::{BindingFailure, outcome};
use crate::options::{
    BindingEngineOptions, BindingPlayRequest, BindingSession, BindingTransportTarget, millis,
};
use crate::stats::{BindingEngineStats, BindingFlowStats};

/// The engine: pacer, decode and IO threads.
#[napi]
pub struct BindingEngine {
    pub(crate) engine: Arc<Engine>,
}

#[napi]
impl BindingEngine {
    /// Starts the engine's threads. `wake` is called, coalesced, when events wait.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        options: BindingEngineOptions,
        wake: Function<'_, (), UnknownReturnValue>,
    ) -> napi::Result<Self> {
        let wake = wake
            .build_threadsafe_function()
            .weak::<true>()
            .callee_handled::<false>()
            .max_queue_size::<1>()
            .build()?;
        let on_events = Arc::new(move || {
            // A full queue of one means that a wake-up is already on its way.
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        let engine = Engine::start(options.into(), on_events)
            .map_err(|error| napi::Error::from_reason(format!("{}: {error}", error.code())))?;
        let engine = Arc::new(engine);
        // The environment's end stops the engine; until then it lives only as long as JavaScript holds it.
        env.add_env_cleanup_hook(Arc::downgrade(&engine), |engine| {
            if let Some(engine) = engine.upgrade() {
                engine.shutdown();
            }
        })?;
        Ok(Self { engine })
    }

    /// Creates the native side of one call; a number, or a failure.
    #[napi(ts_return_type = "number | BindingFailure")]
    pub fn create_flow(&self) -> napi::Either<u32, BindingFailure> {
        match self.engine.create_flow() {
            Ok(flow) => napi::Either::A(flow),
            Err(error) => napi::Either::B(error.into()),
        }
    }

    /// Ends a flow; unknown ones are ignored.
    #[napi]
    pub fn destroy_flow(&self, flow: u32) {
        self.engine.destroy_flow(flow);
    }

    /// Opens a socket and starts IP discovery.
    #[napi]
    pub fn open_transport(
        &self,
        flow: u32,
        target: BindingTransportTarget,
    ) -> Option<BindingFailure> {
        match target.remote() {
            Ok(remote) => {
                let opened =
                    self.engine
                        .open_transport(flow, remote, target.ssrc, target.generation);
                outcome(opened)
            }
            Err(failure) => Some(failure),
        }
    }

    /// Installs mode and key; frames flow from here on.
    #[napi]
    pub fn start_session(&self, flow: u32, session: BindingSession) -> Option<BindingFailure> {
        match session.parts() {
            Ok((mode, key)) => outcome(self.engine.start_session(flow, mode, key)),
            Err(failure) => Some(failure),
        }
    }

    /// Closes the socket and forgets the keys.
    #[napi]
    pub fn close_transport(&self, flow: u32) {
        self.engine.close_transport(flow);
    }

    /// Plays a track, replacing what plays.
    #[napi]
    pub fn play(&self, flow: u32, request: BindingPlayRequest) -> Option<BindingFailure> {
        match request.try_into() {
            Ok(request) => outcome(self.engine.play(flow, request)),
            Err(failure) => Some(failure),
        }
    }

    /// Stops what plays.
    #[napi]
    pub fn stop(&self, flow: u32) {
        self.engine.stop(flow);
    }

    /// Pauses or resumes.
    #[napi]
    pub fn set_paused(&self, flow: u32, paused: bool) {
        self.engine.set_paused(flow, paused);
    }

    /// Moves to a position in source time, milliseconds.
    #[napi]
    pub fn seek(&self, flow: u32, position_ms: f64) {
        self.engine.seek(flow, millis(position_ms));
    }

    /// Hands over 20 ms Opus packets; returns how many were taken.
    #[napi]
    pub fn push_frames(&self, flow: u32, frames: Vec<Uint8Array>) -> u32 {
        let frames: Vec<&[u8]> = frames.iter().map(AsRef::as_ref).collect();
        self.engine.push_frames(flow, &frames) as u32
    }

    /// Counters of one flow, or null when it does not exist.
    #[napi]
    pub fn flow_stats(&self, flow: u32) -> Option<BindingFlowStats> {
        self.engine.flow_stats(flow).map(Into::into)
    }

    /// Counters of the whole engine.
    #[napi]
    pub fn stats(&self) -> BindingEngineStats {
        self.engine.stats().into()
    }

    /// Takes up to `max` waiting events.
    #[napi]
    pub fn drain_events(&self, max: u32) -> Vec<BindingEvent> {
        let mut events: Vec<EngineEvent> = Vec::new();
        self.engine.drain_events(&mut events, max as usize);
        events.into_iter().map(Into::into).collect()
    }

    /// Stops every thread and closes every socket; resolves when they are gone.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close(&self) -> AsyncTask<Shutdown> {
        AsyncTask::new(Shutdown {
            engine: Arc::clone(&self.engine),
        })
    }
}

impl BindingEngine {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Joins the engine's threads away from the JavaScript thread.
pub struct Shutdown {
    engine: Arc<Engine>,
}

impl Task for Shutdown {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        self.engine.shutdown();
        Ok(())
    }

    fn resolve(&mut self, _env: Env, _output: ()) -> napi::Result<()> {
        Ok(())
    }
}
