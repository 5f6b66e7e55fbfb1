//! The URL of a source: parsed once, and shown only without its secrets.

use cadenza_audio::ProbeHint;
use reqwest::Url;

use crate::feed::error::{FeedError, code};

/// More of a path than this is cut off in messages, in characters.
const SHOWN: usize = 200;

/// Parses what the user gave. Only `http` and `https` URLs with a host are sources.
pub(super) fn parse(text: &str) -> Result<Url, FeedError> {
    let url = Url::parse(text).map_err(|error| {
        FeedError::new(
            code::HTTP_INVALID_URL,
            format!("the source is no URL ({error}); give a whole http or https URL"),
        )
    })?;
    require_http(&url)?;
    Ok(url)
}

/// Refuses every other scheme, also behind a redirect.
pub(super) fn require_http(url: &Url) -> Result<(), FeedError> {
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Ok(());
    }
    Err(FeedError::new(
        code::HTTP_INVALID_URL,
        format!(
            "a URL of scheme {} cannot be played; give an http or https URL",
            url.scheme()
        ),
    ))
}

/// Scheme, host, port and path: user name, password, query and fragment may be secrets.
pub(super) fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    // Both fail only for URLs that cannot have credentials.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_query(None);
    bare.set_fragment(None);
    bare.as_str().chars().take(SHOWN).collect()
}

/// An address in a playlist, relative to the playlist's own.
pub(super) fn join(base: &Url, address: &str) -> Result<Url, FeedError> {
    let url = base.join(address).map_err(|error| {
        FeedError::new(
            code::HTTP_INVALID_URL,
            format!("{} names something that is no URL ({error})", shown(base)),
        )
    })?;
    require_http(&url)?;
    Ok(url)
}

/// The extension of the file that the path names, in lower case.
pub(super) fn extension(url: &Url) -> Option<String> {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
}

/// What the URL and the answer say about the content.
pub(super) fn hint(url: &Url, mime: Option<String>) -> ProbeHint {
    ProbeHint {
        extension: extension(url),
        mime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_secrets() {
        let url =
            parse("https://user:pass@Example.org:8443/a/b.ogg?token=secret#x").expect("parses");
        assert_eq!(shown(&url), "https://example.org:8443/a/b.ogg");
    }

    #[test]
    fn refuses_other_schemes() {
        for text in [
            "file:///etc/passwd",
            "ftp://h/x",
            "data:audio/ogg;base64,AA",
            "x",
            "http://",
            "",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.code, code::HTTP_INVALID_URL, "{text}");
        }
    }

    #[test]
    fn takes_the_extension_from_the_path_alone() {
        let url = parse("http://h/dir.d/Track.FLAC?x=.mp3").expect("parses");
        assert_eq!(hint(&url, None).extension.as_deref(), Some("flac"));
    }
}
