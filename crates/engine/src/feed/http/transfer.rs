//! Fills a pipe from a URL: follows the reader's position, resumes what breaks off, gives up in time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use reqwest::Url;
use reqwest::header::HeaderMap;

use super::address::shown;
use super::answer::{Answer, Identity, interpret};
use super::body::{Patience, too_large};
use super::fetch::{Ask, FetchError, Fetched, Fetcher};
use super::icy::{self, IcyFilter, Piece as IcyPiece};
use super::opening::Source;
use super::pipe::{About, Pipe};
use super::window::Target;
use crate::feed::StreamMetadata;
use crate::feed::error::{FeedError, code};

/// A try that brought at least this many bytes earns the full number of further tries.
pub(super) const PROGRESS: u64 = 64 * 1024;

/// Serves `pipe` until nobody reads it any more or it failed.
pub(super) async fn serve(pipe: Arc<Pipe>, fetcher: Arc<Fetcher>, url: Url) {
    let mut source = Source::new(&pipe, &fetcher, url);
    while let Some(target) = pipe.target() {
        let moved = pipe.moved(target.generation);
        let Some(result) = unless(moved, source.deliver(target)).await else {
            continue;
        };
        match result {
            Ok(()) => pipe.complete(target.generation),
            Err(error) => return pipe.fail(error),
        }
        pipe.moved(target.generation).await;
    }
}

/// Runs `work`, but drops it once `stop` is done; `None` then.
async fn unless<T>(stop: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
    let (mut stop, mut work) = (pin!(stop), pin!(work));
    poll_fn(|context| {
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// One body that is the source.
pub(super) struct Transfer<'a> {
    pub(super) pipe: &'a Pipe,
    pub(super) fetcher: &'a Fetcher,
    pub(super) url: Url,
    identity: Option<Identity>,
}

/// An answer that was looked at already, and the bytes of its body that this took.
pub(super) struct First {
    pub(super) fetched: Fetched,
    pub(super) answer: Answer,
    pub(super) head: Vec<u8>,
    /// Why there are no more bytes.
    pub(super) failure: Option<FetchError>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(pipe: &'a Pipe, fetcher: &'a Fetcher, url: Url) -> Transfer<'a> {
        Transfer {
            pipe,
            fetcher,
            url,
            identity: None,
        }
    }

    /// Delivers everything from `target` to the end of the source.
    pub(super) async fn deliver(
        &mut self,
        target: Target,
        mut first: Option<First>,
    ) -> Result<(), FeedError> {
        let mut at = target;
        let mut failures = 0;
        loop {
            let before = at.offset;
            let result = self.attempt(&mut at, first.take()).await;
            if at.offset - before >= PROGRESS {
                failures = 0;
            }
            let failure = match result {
                // A station that closes the connection is asked for what is on air by then.
                Ok(Body::Whole) if self.is_live() => self.truncated(at.offset),
                Ok(Body::Whole) => return Ok(()),
                Ok(Body::Part) if at.offset - before >= PROGRESS => continue,
                Ok(Body::Part) => self.truncated(at.offset),
                Err(failure) => failure,
            };
            failures += 1;
            let known = self.identity.as_ref();
            let resumable = known.is_some_and(|known| known.resumable() || known.live());
            // A second silence in a row is a dead server: trying on would only add to the wait.
            let stalled_again = failure.error.code == code::HTTP_STALLED && failures > 1;
            let spent = failures > self.fetcher.config.resume_attempts || stalled_again;
            if !failure.passing || !resumable || spent {
                return Err(failure.error);
            }
            self.fetcher.pause(failures).await;
        }
    }

    /// One request and its body, up to wherever it ends.
    async fn attempt(&mut self, at: &mut Target, first: Option<First>) -> Result<Body, FetchError> {
        let on_stall = || self.pipe.note_stall();
        let from = if self.is_live() { 0 } else { at.offset };
        let first = match first {
            Some(first) => first,
            None => {
                let ask = Ask {
                    offset: from,
                    len: None,
                    validator: self.identity.as_ref().and_then(Identity::validator),
                };
                let fetched = self.fetcher.get(&self.url, ask, &on_stall).await?;
                First {
                    answer: interpret(&self.url, &fetched.response, from)?,
                    fetched,
                    head: Vec::new(),
                    failure: None,
                }
            }
        };
        self.recognise(&first.answer, from)?;
        if first.answer.beyond_end {
            return Ok(Body::Whole);
        }
        if self.is_live() {
            return self.read_live(first, at).await;
        }
        self.read_body(first, at).await
    }

    fn is_live(&self) -> bool {
        self.identity.as_ref().is_some_and(Identity::live)
    }

    /// Takes down what the first answer says; later ones must not contradict it.
    fn recognise(&mut self, answer: &Answer, asked_from: u64) -> Result<(), FetchError> {
        let limit = self.fetcher.config.max_source_bytes;
        if answer.identity.total().is_some_and(|total| total > limit) {
            return Err(too_large(&self.url, limit));
        }
        // Sending everything from the start is how a server says that `If-Range` did not match.
        let restarted = answer.starts_at < asked_from && !answer.beyond_end;
        let changed = |known: &Identity| {
            !known.agrees_with(&answer.identity)
                || (restarted && known.seekable() && !known.confirmed_by(&answer.identity))
        };
        match &self.identity {
            Some(known) if changed(known) => Err(FetchError::lasting(
                code::SOURCE_CHANGED,
                format!(
                    "{} changed while it was playing; play it again",
                    shown(&self.url)
                ),
            )),
            Some(_) => Ok(()),
            None => {
                self.pipe.describe(About {
                    total: answer.identity.total(),
                    seekable: answer.identity.seekable(),
                    mime: answer.mime.clone(),
                    live: answer.identity.live(),
                    ..About::default()
                });
                self.identity = Some(answer.identity.clone());
                Ok(())
            }
        }
    }

    /// Passes on what is on air, with what the station says about it, until the connection ends.
    async fn read_live(&self, first: First, at: &mut Target) -> Result<Body, FetchError> {
        let mut pieces = Pieces::begin(self, first);
        let station = Station::read(pieces.first.fetched.response.headers());
        if station.name.is_some() {
            self.pipe.announce(station.says(None, None));
        }
        let mut filter = station.interval.and_then(IcyFilter::new);
        while let Some(chunk) = pieces.next(self).await? {
            let mut sound = |bytes: &[u8]| {
                self.pipe.append(at.generation, bytes);
                at.offset += bytes.len() as u64;
            };
            match &mut filter {
                None => sound(&chunk),
                Some(filter) => filter.push(&chunk, |piece| match piece {
                    IcyPiece::Sound(bytes) => sound(bytes),
                    IcyPiece::Title { title, url } => {
                        self.pipe.announce(station.says(Some(title), url));
                    }
                }),
            }
        }
        Ok(Body::Whole)
    }

    async fn read_body(&self, first: First, at: &mut Target) -> Result<Body, FetchError> {
        let limit = self.fetcher.config.max_source_bytes;
        let mut position = first.answer.starts_at;
        let mut pieces = Pieces::begin(self, first);
        while let Some(chunk) = pieces.next(self).await? {
            // A server that ignores ranges sends again what is there already.
            let known = at.offset.saturating_sub(position).min(chunk.len() as u64);
            position += chunk.len() as u64;
            if position > limit {
                return Err(too_large(&self.url, limit));
            }
            let fresh = &chunk[known as usize..];
            self.pipe.append(at.generation, fresh);
            at.offset += fresh.len() as u64;
        }
        let total = self.identity.as_ref().and_then(Identity::total);
        match total {
            Some(total) if at.offset < total => Ok(Body::Part),
            _ if position < at.offset => Ok(Body::Part),
            _ => Ok(Body::Whole),
        }
    }

    fn truncated(&self, offset: u64) -> FetchError {
        FetchError::passing(
            code::HTTP_TRUNCATED,
            format!(
                "{} broke off after {offset} bytes and did not go on; try again later",
                shown(&self.url)
            ),
        )
    }
}

/// The pieces of a body: those that were looked at before, and those that follow.
struct Pieces {
    first: First,
    patience: Patience,
}

impl Pieces {
    fn begin(transfer: &Transfer<'_>, first: First) -> Pieces {
        Pieces {
            first,
            patience: Patience::new(&transfer.fetcher.config),
        }
    }

    /// The next one, once the pipe has room for it; `None` is the end.
    async fn next(&mut self, transfer: &Transfer<'_>) -> Result<Option<Vec<u8>>, FetchError> {
        let head = std::mem::take(&mut self.first.head);
        if !head.is_empty() {
            return Ok(Some(head));
        }
        if let Some(failure) = self.first.failure.take() {
            return Err(failure);
        }
        transfer.pipe.room().await;
        let on_stall = || transfer.pipe.note_stall();
        let response = &mut self.first.fetched.response;
        let next = self
            .patience
            .next(&transfer.url, response, &on_stall)
            .await?;
        Ok(next.map(Vec::from))
    }
}

/// What a radio station says about itself in its headers.
struct Station {
    name: Option<String>,
    url: Option<String>,
    interval: Option<u64>,
}

impl Station {
    fn read(headers: &HeaderMap) -> Station {
        let field = |name: &str| {
            let value = headers.get(name)?;
            Some(icy::clean(&icy::text(value.as_bytes()))).filter(|value| !value.is_empty())
        };
        Station {
            name: field("icy-name"),
            url: field("icy-url"),
            interval: field("icy-metaint").and_then(|value| value.parse().ok()),
        }
    }

    fn says(&self, title: Option<String>, url: Option<String>) -> StreamMetadata {
        StreamMetadata {
            title,
            station: self.name.clone(),
            url: url
                .filter(|url| !url.is_empty())
                .or_else(|| self.url.clone()),
        }
    }
}

/// How far a body led.
enum Body {
    /// To the end of the source.
    Whole,
    /// Not to the end, although the body itself was complete.
    Part,
}
