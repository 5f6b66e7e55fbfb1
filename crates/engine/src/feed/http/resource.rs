//! Parts of an HLS source as they are fetched: segments in pieces, lists and keys whole.

use reqwest::Url;

use super::address::shown;
use super::answer::{Identity, interpret};
use super::body::{Patience, too_large};
use super::fetch::{Ask, FetchError};
use super::session::Access;
use super::transfer::PROGRESS;
use crate::feed::error::code;
use crate::feed::hls::ByteRange;
use crate::feed::playlist::MAX_PLAYLIST_BYTES;

/// The longest segment, in bytes.
const MAX_SEGMENT: u64 = 64 << 20;

/// Fetches a resource or a part of it, going on where it broke off, as fast as the pipe has room.
pub(super) async fn stream(
    access: Access<'_>,
    url: &Url,
    range: Option<ByteRange>,
    mut take: impl FnMut(&[u8]) -> Result<(), FetchError>,
) -> Result<(), FetchError> {
    let mut failures = 0;
    let mut part = Part {
        url,
        range,
        done: 0,
        identity: None,
    };
    loop {
        let before = part.done;
        let Err(failure) = part.attempt(access, &mut take).await else {
            return Ok(());
        };
        if part.done - before >= PROGRESS {
            failures = 0;
        }
        failures += 1;
        if !failure.passing || failures > access.fetcher.config.resume_attempts {
            return Err(failure);
        }
        access.fetcher.pause(failures).await;
    }
}

/// Fetches a small resource, or a part of it, of at most `limit` bytes.
pub(super) async fn whole(
    access: Access<'_>,
    url: &Url,
    range: Option<ByteRange>,
    limit: usize,
) -> Result<Vec<u8>, FetchError> {
    let mut all = Vec::new();
    stream(access, url, range, |bytes| {
        if all.len() + bytes.len() > limit {
            return Err(too_large(url, limit as u64));
        }
        all.extend_from_slice(bytes);
        Ok(())
    })
    .await?;
    Ok(all)
}

/// Fetches a playlist, and where it really lies.
pub(super) async fn text(access: Access<'_>, url: &Url) -> Result<(Url, Vec<u8>), FetchError> {
    let on_stall = || access.pipe.note_stall();
    let mut fetched = access.fetcher.get(url, Ask::default(), &on_stall).await?;
    interpret(url, &fetched.response, 0)?;
    let base = fetched.response.url().clone();
    let mut patience = Patience::new(&access.fetcher.config);
    let response = &mut fetched.response;
    let body = patience.whole(url, response, Vec::new(), MAX_PLAYLIST_BYTES, &on_stall);
    Ok((base, body.await?))
}

struct Part<'a> {
    url: &'a Url,
    range: Option<ByteRange>,
    /// Bytes that were taken.
    done: u64,
    identity: Option<Identity>,
}

impl Part<'_> {
    async fn attempt(
        &mut self,
        access: Access<'_>,
        take: &mut impl FnMut(&[u8]) -> Result<(), FetchError>,
    ) -> Result<(), FetchError> {
        let on_stall = || access.pipe.note_stall();
        let begin = self.range.map_or(0, |range| range.offset);
        let wanted = self.range.map_or(u64::MAX, |range| range.len);
        if self.done >= wanted {
            return Ok(());
        }
        let from = from_done(begin, self.done);
        let ask = Ask {
            offset: from,
            len: self.range.map(|range| range.len - self.done),
            validator: self.identity.as_ref().and_then(Identity::validator),
        };
        let mut fetched = access.fetcher.get(self.url, ask, &on_stall).await?;
        let answer = interpret(self.url, &fetched.response, from)?;
        match &self.identity {
            Some(known) if !known.agrees_with(&answer.identity) => {
                let text = format!("{} changed while it was read", shown(self.url));
                return Err(FetchError::lasting(code::SOURCE_CHANGED, text));
            }
            Some(_) => {}
            None => self.identity = Some(answer.identity.clone()),
        }
        let mut position = answer.starts_at;
        let mut patience = Patience::new(&access.fetcher.config);
        while !answer.beyond_end && self.done < wanted {
            access.pipe.room().await;
            let next = patience.next(self.url, &mut fetched.response, &on_stall);
            let Some(chunk) = next.await? else { break };
            // A server that ignores ranges sends what was not asked for, too.
            let known = from_done(begin, self.done)
                .saturating_sub(position)
                .min(chunk.len() as u64);
            position += chunk.len() as u64;
            if position.saturating_sub(begin) > MAX_SEGMENT {
                return Err(too_large(self.url, MAX_SEGMENT));
            }
            let mut fresh = &chunk[known as usize..];
            if let Some(few) = usize::try_from(wanted - self.done)
                .ok()
                .and_then(|few| fresh.get(..few))
            {
                fresh = few;
            }
            self.done += fresh.len() as u64;
            take(fresh)?;
        }
        let total = answer.identity.total().unwrap_or(0);
        let end = begin.saturating_add(wanted).min(total);
        if from_done(begin, self.done) < end || (answer.beyond_end && self.done == 0) {
            let text = format!("{} broke off; try again later", shown(self.url));
            return Err(FetchError::passing(code::HTTP_TRUNCATED, text));
        }
        Ok(())
    }
}

fn from_done(begin: u64, done: u64) -> u64 {
    begin.saturating_add(done)
}
