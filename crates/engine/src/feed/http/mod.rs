//! HTTP sources: one thread, `cadenza-io`, moves the bytes of all of them into bounded pipes.

mod address;
mod answer;
mod body;
mod fetch;
mod guard;
mod headers;
mod hosts;
mod icy;
mod opening;
mod pipe;
mod reader;
mod resource;
mod session;
mod shoutcast;
mod transfer;
mod window;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use cadenza_audio::ProbeHint;
use reqwest::Url;
use tokio::runtime::{self, Handle};
use tokio::sync::Notify;

use super::config::FeedConfig;
use super::error::FeedError;
use fetch::Fetcher;
use headers::SourceHeaders;
pub use icy::{IcyFilter, Piece as IcyPiece};
pub(super) use pipe::{Onward, Pipe};
pub(super) use reader::HttpReader;

/// A smaller window would hold less than the decoder wants to see before it runs.
const SMALLEST_WINDOW: usize = 64 * 1024;
/// Name resolution cannot be interrupted. Beyond this its thread is left to end by itself.
const RESOLVER_GRACE: Duration = Duration::from_secs(1);

/// The IO thread and its runtime.
pub(super) struct HttpSources {
    runtime: Handle,
    fetcher: Result<Arc<Fetcher>, FeedError>,
    window: usize,
    stop: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// An HTTP source that is being fetched.
pub(super) struct HttpSource {
    pub(super) pipe: Arc<Pipe>,
    url: Url,
}

impl HttpSource {
    /// What URL and headers say about the content.
    pub(super) fn hint(&self) -> ProbeHint {
        address::hint(&self.url, self.pipe.about().mime)
    }
}

impl HttpSources {
    /// Starts the IO thread.
    pub(super) fn start(config: &FeedConfig) -> io::Result<HttpSources> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            // Name resolution runs on the runtime's blocking threads, and nothing else does. Many,
            // because a name server that does not answer must not hold up other sources.
            .max_blocking_threads(256)
            .thread_name("cadenza-dns")
            .build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = Builder::new().name("cadenza-io".into()).spawn(move || {
            runtime.block_on(stopped.notified());
            runtime.shutdown_timeout(RESOLVER_GRACE);
        })?;
        Ok(HttpSources {
            runtime: handle,
            fetcher: Fetcher::new(config).map(Arc::new),
            window: config.window_bytes.max(SMALLEST_WINDOW),
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Begins to fetch `url`, where it can be found by time from `start_ms` on. The callbacks run on the IO thread and must not wait.
    pub(super) fn fetch(
        &self,
        url: &str,
        headers: &[(String, String)],
        start_ms: u64,
        on_ready: Box<dyn Fn() + Send + Sync>,
        on_stall: Box<dyn Fn() + Send + Sync>,
    ) -> Result<HttpSource, FeedError> {
        let url = address::parse(url)?;
        let mut fetcher = self.fetcher.clone()?;
        if !headers.is_empty() {
            fetcher = Arc::new(fetcher.with_headers(SourceHeaders::new(&url, headers)));
        }
        let pipe = Arc::new(Pipe::new(self.window, start_ms, on_ready, on_stall));
        let transfer = transfer::serve(Arc::clone(&pipe), fetcher, url.clone());
        self.runtime.spawn(transfer);
        Ok(HttpSource { pipe, url })
    }

    /// Drops every transfer and joins the thread. Idempotent.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // The runtime reports panics of tasks itself; the thread has nothing to add.
            let _ = thread.join();
        }
    }
}
