//! One request for a source: redirects followed by hand, every hop checked, headers interpreted.

use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, IF_RANGE, LOCATION, RANGE};
use reqwest::{Client, Response, Url};

use super::address::{require_http, shown};
use super::guard::{AddressGuard, ForbiddenAddress, GuardedResolver};
use super::headers::SourceHeaders;
use super::hosts::{Connection, Hosts};
use super::shoutcast;
use crate::feed::config::FeedConfig;
use crate::feed::error::{FeedError, code};

/// A failed request and whether the same request may go well a moment later.
#[derive(Debug)]
pub(super) struct FetchError {
    pub(super) error: FeedError,
    pub(super) passing: bool,
}

impl FetchError {
    pub(super) fn passing(code: &'static str, message: String) -> FetchError {
        FetchError {
            error: FeedError::new(code, message),
            passing: true,
        }
    }

    pub(super) fn lasting(code: &'static str, message: String) -> FetchError {
        FetchError {
            error: FeedError::new(code, message),
            passing: false,
        }
    }
}

impl From<FeedError> for FetchError {
    fn from(error: FeedError) -> FetchError {
        FetchError {
            error,
            passing: false,
        }
    }
}

/// The client and the policies that every request shares, and what goes with the requests for one source.
pub(super) struct Fetcher {
    client: Client,
    guard: Arc<AddressGuard>,
    hosts: Arc<Hosts>,
    headers: SourceHeaders,
    pub(super) config: Arc<FeedConfig>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ask<'a> {
    /// The first byte.
    pub(super) offset: u64,
    /// How many bytes; all that follow when `None`.
    pub(super) len: Option<u64>,
    /// For `If-Range`.
    pub(super) validator: Option<&'a str>,
}

/// An answer whose headers are there; dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) response: Response,
    _connection: Connection,
}

impl Fetcher {
    pub(super) fn new(config: &FeedConfig) -> Result<Fetcher, FeedError> {
        // TLS has a small provider of its own: with aws-lc, which seals packets, everything that handshakes may need would
        // come along, a megabyte and more. It fails only where somebody has set one already, and then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Arc::new(AddressGuard {
            allow_private: config.allow_private_hosts,
            exceptions: config.allowed_private_addresses.clone(),
        });
        let builder = || {
            Client::builder()
                .user_agent(concat!("cadenza/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                // A proxy would resolve names itself, past the guard.
                .no_proxy()
                .dns_resolver(GuardedResolver(Arc::clone(&guard)))
                .connect_timeout(config.connect_timeout)
                // A source holds its connection for as long as it plays; idle ones are of no use.
                .pool_max_idle_per_host(0)
                .http1_only()
        };
        // On a system without certificates plain http still works.
        let client = builder()
            .build()
            .or_else(|_| builder().tls_certs_only([]).build());
        let client = client.map_err(|error| {
            FeedError::new(
                code::HTTP_CONNECT_FAILED,
                format!("no HTTP client can be made here ({error}); check the TLS certificates"),
            )
        })?;
        Ok(Fetcher {
            client,
            guard,
            hosts: Arc::new(Hosts::new(
                config.max_requests_per_host,
                config.max_connections_per_host,
            )),
            headers: SourceHeaders::default(),
            config: Arc::new(config.clone()),
        })
    }

    /// The same for a source whose requests carry header fields of their own.
    pub(super) fn with_headers(&self, headers: SourceHeaders) -> Fetcher {
        Fetcher {
            client: self.client.clone(),
            guard: Arc::clone(&self.guard),
            hosts: Arc::clone(&self.hosts),
            headers,
            config: Arc::clone(&self.config),
        }
    }

    /// The pause before a broken body is tried to be continued, after so many failures in a row.
    pub(super) async fn pause(&self, failures: u32) {
        let doublings = failures.saturating_sub(1).min(6);
        tokio::time::sleep(self.config.resume_delay * (1 << doublings)).await;
    }

    async fn ask_shoutcast(&self, url: &Url) -> Option<Response> {
        let headers = self.headers.to(url);
        shoutcast::ask(url, &self.guard, headers, self.config.connect_timeout).await
    }

    /// Asks for bytes of the source. `on_stall` runs when the answer is slow.
    pub(super) async fn get(
        &self,
        source: &Url,
        ask: Ask<'_>,
        on_stall: &impl Fn(),
    ) -> Result<Fetched, FetchError> {
        let last = ask
            .len
            .map(|len| ask.offset.saturating_add(len.saturating_sub(1)));
        let last = last.map_or_else(String::new, |last| last.to_string());
        let mut url = source.clone();
        for _ in 0..=self.config.max_redirects {
            if !self.guard.permits_literal(&url) {
                return Err(forbidden(&url));
            }
            let mut request = self
                .client
                .get(url.clone())
                .headers(self.headers.to(&url).clone())
                .header(ACCEPT_ENCODING, "identity")
                // Radio servers then put titles between the sound.
                .header("icy-metadata", "1")
                .header(RANGE, format!("bytes={}-{last}", ask.offset));
            if let Some(validator) = ask.validator {
                request = request.header(IF_RANGE, validator);
            }
            let limit = self.config.connect_timeout + self.config.stall_timeout;
            let connection = self.hosts.connection(&url).ok_or_else(|| host_busy(&url))?;
            let asking = async {
                let _turn = connection.turn().await;
                request.send().await
            };
            let asking = async {
                match asking.await {
                    Err(error) if shoutcast::may_answer(&url, &error) => {
                        self.ask_shoutcast(&url).await.ok_or(error)
                    }
                    answer => answer,
                }
            };
            let response = patiently(asking, self.config.stall_notice, limit, on_stall)
                .await
                .ok_or_else(|| timed_out(&url))?
                .map_err(|error| request_failed(&url, &error))?;
            let Some(next) = redirect(&url, &response) else {
                return Ok(Fetched {
                    response,
                    _connection: connection,
                });
            };
            url = next?;
            require_http(&url)?;
        }
        Err(FetchError::lasting(
            code::HTTP_TOO_MANY_REDIRECTS,
            format!(
                "{} redirects more than {} times; use the address of the file itself",
                shown(source),
                self.config.max_redirects
            ),
        ))
    }
}

/// Waits up to `limit`; runs `on_stall` once `notice` has passed. `None` is a timeout.
pub(super) async fn patiently<T>(
    work: impl Future<Output = T>,
    notice: Duration,
    limit: Duration,
    on_stall: &impl Fn(),
) -> Option<T> {
    let mut work = pin!(work);
    let notice = notice.min(limit);
    if let Ok(done) = tokio::time::timeout(notice, work.as_mut()).await {
        return Some(done);
    }
    on_stall();
    tokio::time::timeout(limit - notice, work).await.ok()
}

/// Where a redirect leads; `None` when the response is none.
fn redirect(url: &Url, response: &Response) -> Option<Result<Url, FetchError>> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    let next = location.to_str().ok().and_then(|to| url.join(to).ok());
    Some(next.ok_or_else(|| {
        FetchError::lasting(
            code::HTTP_STATUS,
            format!(
                "{} redirects to something that is no URL; use another address",
                shown(url)
            ),
        )
    }))
}

fn forbidden(url: &Url) -> FetchError {
    FetchError::lasting(
        code::HTTP_FORBIDDEN_ADDRESS,
        format!(
            "{} lies at a private or local address; allow private hosts in the configuration if \
             that is meant",
            shown(url)
        ),
    )
}

fn timed_out(url: &Url) -> FetchError {
    FetchError::passing(
        code::HTTP_TIMEOUT,
        format!("{} did not answer in time; try again later", shown(url)),
    )
}

fn host_busy(url: &Url) -> FetchError {
    FetchError::passing(
        code::HTTP_HOST_BUSY,
        format!(
            "too many sources of {} play already; try again later",
            url.host_str().unwrap_or_default()
        ),
    )
}

/// Whether TLS failed. An `io::Error` hides what it wraps from the chain of causes.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<std::io::Error>();
    error.is::<rustls::Error>()
        || wrapped
            .and_then(std::io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner))
}

fn request_failed(url: &Url, error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut innermost = String::new();
    let mut tls = false;
    while let Some(error) = cause {
        if error.is::<ForbiddenAddress>() {
            return forbidden(url);
        }
        innermost = error.to_string();
        tls |= is_tls(error);
        cause = error.source();
    }
    if tls {
        let text = format!(
            "{} offers no connection that can be trusted ({innermost}); check its certificate",
            shown(url)
        );
        return FetchError::lasting(code::HTTP_TLS_FAILED, text);
    }
    if error.is_timeout() {
        return timed_out(url);
    }
    if error.is_connect() {
        let text = format!(
            "{} cannot be reached ({innermost}); check the address",
            shown(url)
        );
        return FetchError::passing(code::HTTP_CONNECT_FAILED, text);
    }
    let text = format!(
        "{} closed the connection or answered with no valid HTTP ({innermost}); try again later",
        shown(url)
    );
    FetchError::passing(code::HTTP_CONNECT_FAILED, text)
}
