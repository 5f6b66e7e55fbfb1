//! What an answer says: which bytes of the source it carries, and what identifies the source.

use reqwest::header::{
    ACCEPT_RANGES, AsHeaderName, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, LAST_MODIFIED,
};
use reqwest::{Response, StatusCode, Url};

use super::address::shown;
use super::fetch::FetchError;
use super::shoutcast::OnAir;
use crate::feed::error::code;

/// What identifies the content, as far as the first answer tells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Identity {
    etag: Option<String>,
    last_modified: Option<String>,
    total: Option<u64>,
    ranges: bool,
    live: bool,
}

impl Identity {
    /// Whether this is a radio stream: what comes is what is on air, without beginning or end.
    pub(super) fn live(&self) -> bool {
        self.live
    }

    /// Whether a body that broke off can be continued and checked to be the same.
    pub(super) fn resumable(&self) -> bool {
        self.ranges || self.etag.is_some() || self.last_modified.is_some()
    }

    /// For `If-Range`, which only takes strong validators (RFC 9110, section 13.1.5).
    pub(super) fn validator(&self) -> Option<&str> {
        match &self.etag {
            Some(etag) => Some(etag.as_str()).filter(|etag| !etag.starts_with("W/")),
            None => self.last_modified.as_deref(),
        }
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    pub(super) fn seekable(&self) -> bool {
        self.ranges
    }

    /// Whether an answer carries the same content for certain: a validator says so.
    pub(super) fn confirmed_by(&self, other: &Identity) -> bool {
        let same_date = self.last_modified.is_some() && self.last_modified == other.last_modified;
        match &self.etag {
            Some(etag) => other.etag.as_ref() == Some(etag),
            None => same_date,
        }
    }

    /// Whether an answer may carry the same content: nothing that both name differs.
    pub(super) fn agrees_with(&self, other: &Identity) -> bool {
        fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_none() || other.is_none() || one == other
        }
        agree(&self.etag, &other.etag)
            && agree(&self.total, &other.total)
            && (self.etag.is_some() || agree(&self.last_modified, &other.last_modified))
    }
}

/// A response that carries (part of) the source.
#[derive(Debug)]
pub(super) struct Answer {
    /// Position in the source of the body's first byte.
    pub(super) starts_at: u64,
    /// The source has no bytes from the asked offset on; the body is to be ignored.
    pub(super) beyond_end: bool,
    pub(super) identity: Identity,
    pub(super) mime: Option<String>,
}

/// Reads status and headers of the answer to a request from `offset` on.
pub(super) fn interpret(url: &Url, response: &Response, offset: u64) -> Result<Answer, FetchError> {
    let headers = response.headers();
    let mut answer = Answer {
        starts_at: 0,
        beyond_end: false,
        identity: Identity {
            etag: text(headers, ETAG),
            last_modified: text(headers, LAST_MODIFIED),
            total: None,
            live: false,
            ranges: text(headers, ACCEPT_RANGES).is_some_and(|units| units.contains("bytes")),
        },
        mime: text(headers, CONTENT_TYPE),
    };
    let range = text(headers, CONTENT_RANGE);
    match response.status() {
        StatusCode::OK => answer.identity.total = response.content_length(),
        StatusCode::PARTIAL_CONTENT => {
            let (start, total) = range
                .as_deref()
                .and_then(parse_range)
                .ok_or_else(|| refused(url, "a part of the file without saying which"))?;
            if start != offset {
                return Err(refused(url, "a part of the file that was not asked for"));
            }
            answer.starts_at = start;
            answer.identity.total = total;
            answer.identity.ranges = true;
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let total = range
                .as_deref()
                .and_then(|range| range.strip_prefix("bytes */"));
            answer.identity.total = total.and_then(|total| total.trim().parse().ok());
            answer.beyond_end = true;
        }
        status => {
            let mut error = refused(url, &format!("status {}", status.as_u16()));
            error.passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(error);
        }
    }
    let identity = &mut answer.identity;
    let is_radio = response.extensions().get::<OnAir>().is_some()
        || headers.keys().any(|name| name.as_str().starts_with("icy-"));
    if identity.total.is_none() && is_radio {
        identity.live = true;
        identity.ranges = false;
    }
    Ok(answer)
}

fn refused(url: &Url, what: &str) -> FetchError {
    FetchError::lasting(
        code::HTTP_STATUS,
        format!("{} answered with {what}; check the address", shown(url)),
    )
}

pub(super) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `bytes 0-99/200` → `(0, Some(200))`; an unknown total is `*`.
fn parse_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total: Option<u64> = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let sound = start <= end && total.is_none_or(|total| end < total);
    sound.then_some((start, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_ranges_and_refuses_impossible_ones() {
        for (value, expected) in [
            ("bytes 0-99/200", Some((0, Some(200)))),
            ("bytes 5-9/*", Some((5, None))),
            (" bytes 1-1/2 ", Some((1, Some(2)))),
            ("bytes 9-5/200", None),
            ("bytes 0-200/200", None),
            ("bytes */200", None),
            ("items 0-1/2", None),
            ("bytes 0-18446744073709551616/2", None),
            ("", None),
        ] {
            assert_eq!(parse_range(value), expected, "{value}");
        }
    }

    #[test]
    fn compares_only_what_both_answers_name() {
        let identity = |etag: Option<&str>, modified: Option<&str>, total: Option<u64>| Identity {
            etag: etag.map(str::to_owned),
            last_modified: modified.map(str::to_owned),
            total,
            ranges: true,
            live: false,
        };
        let first = identity(Some("\"a\""), Some("monday"), Some(10));
        for (other, same) in [
            (identity(Some("\"a\""), Some("tuesday"), Some(10)), true),
            (identity(None, None, None), true),
            (identity(Some("\"b\""), Some("monday"), Some(10)), false),
            (identity(Some("\"a\""), None, Some(11)), false),
        ] {
            assert_eq!(first.agrees_with(&other), same, "{other:?}");
        }
        let undated = identity(None, Some("monday"), None);
        assert!(!undated.agrees_with(&identity(None, Some("tuesday"), None)));
        assert_eq!(undated.validator(), Some("monday"));
        assert_eq!(
            identity(Some("W/\"a\""), Some("monday"), None).validator(),
            None
        );
    }
}
