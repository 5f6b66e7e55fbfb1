//! What a URL leads to: a body that is the source, a playlist that names others, or HLS.

use std::collections::HashSet;

use reqwest::Url;

use super::address::{self, extension, shown};
use super::answer::interpret;
use super::body::Patience;
use super::fetch::{Ask, FetchError, Fetcher};
use super::pipe::Pipe;
use super::session::{Access, Session};
use super::transfer::{First, Transfer};
use super::window::Target;
use crate::feed::error::{FeedError, code};
use crate::feed::playlist::{self, MAX_PLAYLIST_BYTES, PlaylistKind};

/// Addresses that are tried before a playlist is given up.
const MAX_TRIES: usize = 16;
/// Playlists within playlists.
const MAX_DEPTH: usize = 3;
/// Bytes that tell a playlist from sound.
const LOOK: usize = 16;

/// A source, and what it turned out to be.
pub(super) struct Source<'a> {
    pipe: &'a Pipe,
    fetcher: &'a Fetcher,
    url: Url,
    found: Found<'a>,
}

enum Found<'a> {
    Nothing,
    Body(Transfer<'a>),
    Hls(Box<Session>),
}

/// What one URL leads to.
enum Opened {
    Body(Box<First>),
    Playlist { base: Url, text: Vec<u8> },
}

impl<'a> Source<'a> {
    pub(super) fn new(pipe: &'a Pipe, fetcher: &'a Fetcher, url: Url) -> Source<'a> {
        Source {
            pipe,
            fetcher,
            url,
            found: Found::Nothing,
        }
    }

    /// Delivers everything from `target` to the end of the source.
    pub(super) async fn deliver(&mut self, target: Target) -> Result<(), FeedError> {
        let access = Access {
            pipe: self.pipe,
            fetcher: self.fetcher,
        };
        let mut first = None;
        if let Found::Nothing = self.found {
            first = self.find(access, target).await?;
        }
        match &mut self.found {
            Found::Body(transfer) => transfer.deliver(target, first).await,
            Found::Hls(session) => session.deliver(access, target).await,
            // `find` found something, or else an error.
            Found::Nothing => Ok(()),
        }
    }

    /// Goes through playlists up to the first address that can be opened.
    async fn find(
        &mut self,
        access: Access<'_>,
        target: Target,
    ) -> Result<Option<First>, FeedError> {
        let mut waiting = vec![(self.url.clone(), 0)];
        let mut seen = HashSet::new();
        let mut failure = None;
        while let Some((url, depth)) = waiting.pop() {
            if seen.len() == MAX_TRIES {
                break;
            }
            if !seen.insert(url.clone()) || depth > MAX_DEPTH {
                failure = Some(too_deep(&self.url));
                continue;
            }
            let (base, text) = match self.open(&url, target).await {
                Ok(Opened::Playlist { base, text }) => (base, text),
                Ok(Opened::Body(first)) => {
                    let transfer = Transfer::new(self.pipe, self.fetcher, url);
                    self.found = Found::Body(transfer);
                    return Ok(Some(*first));
                }
                Err(error) => {
                    failure = Some(error.error);
                    continue;
                }
            };
            if playlist::kind(&text) == PlaylistKind::Hls {
                match Session::open(access, url, base, &text).await {
                    Ok(session) => {
                        self.found = Found::Hls(Box::new(session));
                        return Ok(None);
                    }
                    Err(error) => failure = Some(error.error),
                }
                continue;
            }
            for entry in playlist::entries(&text).iter().rev() {
                match address::join(&base, entry) {
                    Ok(url) => waiting.push((url, depth + 1)),
                    Err(error) => failure = Some(error),
                }
            }
        }
        Err(failure.unwrap_or_else(|| {
            FeedError::new(
                code::PLAYLIST_INVALID,
                format!("{} is a playlist that names nothing", shown(&self.url)),
            )
        }))
    }

    async fn open(&self, url: &Url, target: Target) -> Result<Opened, FetchError> {
        let on_stall = || self.pipe.note_stall();
        let ask = Ask {
            offset: target.offset,
            ..Ask::default()
        };
        let mut fetched = self.fetcher.get(url, ask, &on_stall).await?;
        let answer = interpret(url, &fetched.response, target.offset)?;
        let mut patience = Patience::new(&self.fetcher.config);
        let (mut head, mut failure) = (Vec::new(), None);
        while head.len() < LOOK && !answer.beyond_end {
            match patience.next(url, &mut fetched.response, &on_stall).await {
                Ok(Some(chunk)) => head.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let base = fetched.response.url().clone();
        let named = extension(&base);
        if failure.is_none()
            && playlist::is_playlist(&head, answer.mime.as_deref(), named.as_deref())
        {
            let response = &mut fetched.response;
            let text = patience.whole(url, response, head, MAX_PLAYLIST_BYTES, &on_stall);
            let text = text.await?;
            return Ok(Opened::Playlist { base, text });
        }
        Ok(Opened::Body(Box::new(First {
            fetched,
            answer,
            head,
            failure,
        })))
    }
}

fn too_deep(url: &Url) -> FeedError {
    let text = format!(
        "{} names playlists that name each other, or too many",
        shown(url)
    );
    FeedError::new(code::PLAYLIST_LOOP, text)
}
