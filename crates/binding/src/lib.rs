//! The Node.js addon: every type here converts between JavaScript values and the engine, and holds no logic.
//!
//! Expected failures cross as values ([`failure::BindingFailure`]), never as exceptions; one function
//! in `ts/native` turns them into errors. Events wait in the engine's bounded queue until JavaScript
//! drains them in a batch after one coalesced wake-up.

mod addresses;
mod binding_engine;
mod dave;
mod event;
mod failure;
mod filters;
mod options;
mod push;
mod receive;
mod stats;
mod streams;
