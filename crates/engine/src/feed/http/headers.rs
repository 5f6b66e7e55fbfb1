//! Header fields that go with the requests for one source, as the sites of some addresses demand.

use reqwest::Url;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap,
    HeaderName, HeaderValue, IF_RANGE, PROXY_AUTHORIZATION, RANGE, TE, TRANSFER_ENCODING, UPGRADE,
};

/// Fields of one source.
const MAX_FIELDS: usize = 32;
/// Bytes of a value.
const MAX_VALUE: usize = 8 * 1024;
/// These are ours to say.
const OWN: [HeaderName; 9] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    IF_RANGE,
    RANGE,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// These are for the host of the source's own address and for no other.
const SECRET: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// The fields of a source. Their values appear in no message.
#[derive(Default)]
pub(super) struct SourceHeaders {
    /// Host and port that all fields go to.
    home: Option<(String, Option<u16>)>,
    all: HeaderMap,
    /// Those that other hosts get as well: the ends of redirects, the segments of a list.
    open: HeaderMap,
}

impl SourceHeaders {
    /// Takes fields over; those that no request can have, or that are ours to say, are left out.
    pub(super) fn new(url: &Url, fields: &[(String, String)]) -> SourceHeaders {
        let mut all = HeaderMap::new();
        for (name, value) in fields.iter().take(MAX_FIELDS) {
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                continue;
            };
            let Ok(mut value) = HeaderValue::from_str(value) else {
                continue;
            };
            if value.len() > MAX_VALUE || OWN.contains(&name) {
                continue;
            }
            value.set_sensitive(true);
            all.insert(name, value);
        }
        let mut open = all.clone();
        for name in &SECRET {
            open.remove(name);
        }
        SourceHeaders {
            home: place(url),
            all,
            open,
        }
    }

    /// What a request for `url` carries.
    pub(super) fn to(&self, url: &Url) -> &HeaderMap {
        // What was given to a protected connection is not sent over an open one.
        if place(url) == self.home {
            &self.all
        } else {
            &self.open
        }
    }
}

fn place(url: &Url) -> Option<(String, Option<u16>)> {
    Some((url.host_str()?.to_owned(), url.port_or_known_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn secrets_go_to_the_source_itself_alone() {
        let given = fields(&[
            ("User-Agent", "x/1"),
            ("Cookie", "a=b"),
            ("authorization", "z"),
        ]);
        let headers = SourceHeaders::new(&url("https://a.example/1"), &given);
        assert_eq!(headers.to(&url("https://a.example/2")).len(), 3);
        for other in [
            "https://b.example/1",
            "https://a.example:444/1",
            "http://a.example/1",
        ] {
            let open = headers.to(&url(other));
            assert_eq!(open.len(), 1, "{other}");
            assert_eq!(open["user-agent"], "x/1");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_left_out() {
        let long = "x".repeat(MAX_VALUE + 1);
        let given = fields(&[
            ("Range", "bytes=7-"),
            ("host", "c"),
            ("Accept-Encoding", "gzip"),
            ("a b", "x"),
            ("", "x"),
            ("x-break", "a\r\nHost: c"),
            ("x-long", &long),
            ("Referer", "https://a.example/"),
        ]);
        let headers = SourceHeaders::new(&url("http://a/1"), &given);
        let names: Vec<_> = headers.to(&url("http://a/2")).keys().collect();
        assert_eq!(names, ["referer"]);
        let many: Vec<_> = (0..100)
            .map(|n| (format!("x-{n}"), String::new()))
            .collect();
        let url = url("http://a/1");
        assert_eq!(SourceHeaders::new(&url, &many).to(&url).len(), MAX_FIELDS);
    }
}
