//! A gateway and members for the tests of the group: who is as blind as the real one, and who hears whom.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod call;
pub mod client;
pub mod gateway;
pub mod mls;
