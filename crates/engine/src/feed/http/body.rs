//! Reading bodies: with patience, but not with those that trickle.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Response, Url};
use tokio::time::Instant;

use super::address::shown;
use super::fetch::{FetchError, patiently};
use crate::feed::config::FeedConfig;
use crate::feed::error::code;

/// Bytes that have to come within the stall timeout: a server that trickles is as good as silent.
const TRICKLE: u64 = 1024;

/// How long the next bytes of a body may take. Only time spent waiting for them counts.
#[derive(Debug)]
pub(super) struct Patience {
    notice: Duration,
    limit: Duration,
    left: Duration,
    /// Bytes since `left` was full.
    came: u64,
}

impl Patience {
    pub(super) fn new(config: &FeedConfig) -> Patience {
        Patience {
            notice: config.stall_notice,
            limit: config.stall_timeout,
            left: config.stall_timeout,
            came: 0,
        }
    }

    /// The next bytes; `None` is the end. `on_stall` runs when they are slow.
    pub(super) async fn next(
        &mut self,
        url: &Url,
        response: &mut Response,
        on_stall: &impl Fn(),
    ) -> Result<Option<Bytes>, FetchError> {
        let began = Instant::now();
        let chunk = patiently(response.chunk(), self.notice, self.left, on_stall)
            .await
            .ok_or_else(|| stalled(url))?
            .map_err(|_| broken(url))?;
        self.came += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        self.left = self.left.saturating_sub(began.elapsed());
        if self.came >= TRICKLE {
            (self.left, self.came) = (self.limit, 0);
        }
        Ok(chunk)
    }

    /// The whole body, of at most `limit` bytes, after the bytes of it that are known.
    pub(super) async fn whole(
        &mut self,
        url: &Url,
        response: &mut Response,
        known: Vec<u8>,
        limit: usize,
        on_stall: &impl Fn(),
    ) -> Result<Vec<u8>, FetchError> {
        let mut body = known;
        while let Some(chunk) = self.next(url, response, on_stall).await? {
            if body.len() + chunk.len() > limit {
                return Err(too_large(url, limit as u64));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

pub(super) fn too_large(url: &Url, limit: u64) -> FetchError {
    FetchError::lasting(
        code::HTTP_TOO_LARGE,
        format!(
            "{} is larger than {limit} bytes; raise the limit or use a smaller file",
            shown(url)
        ),
    )
}

fn stalled(url: &Url) -> FetchError {
    FetchError::passing(
        code::HTTP_STALLED,
        format!("{} stopped sending; try again later", shown(url)),
    )
}

fn broken(url: &Url) -> FetchError {
    FetchError::passing(
        code::HTTP_TRUNCATED,
        format!(
            "{} broke off and did not go on; try again later",
            shown(url)
        ),
    )
}
