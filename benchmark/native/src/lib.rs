//! What the benchmark's programs share: arrivals and the grid they are held against, histograms, keys.

pub mod batch;
pub mod flows;
pub mod grid;
pub mod histogram;
pub mod keys;
pub mod responder;
