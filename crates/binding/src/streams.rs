//! Streams: sound made once and played by many calls.

use napi_derive::napi;

use crate::binding_engine::BindingEngine;
use crate::failure::{BindingFailure, outcome};

#[napi]
impl BindingEngine {
    /// Creates a stream; a number, or a failure.
    #[napi(ts_return_type = "number | BindingFailure")]
    pub fn create_stream(&self) -> napi::Either<u32, BindingFailure> {
        match self.engine.create_stream() {
            Ok(stream) => napi::Either::A(stream),
            Err(error) => napi::Either::B(error.into()),
        }
    }

    /// Lets a call play what a stream plays.
    #[napi]
    pub fn subscribe(&self, flow: u32, stream: u32) -> Option<BindingFailure> {
        outcome(self.engine.subscribe(flow, stream))
    }

    /// Ends a subscription.
    #[napi]
    pub fn unsubscribe(&self, flow: u32) {
        self.engine.unsubscribe(flow);
    }
}
