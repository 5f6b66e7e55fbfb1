//! What the engine's integration tests share.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod engine;
pub mod pacer;
pub mod server;
