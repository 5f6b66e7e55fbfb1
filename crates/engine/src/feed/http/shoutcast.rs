//! Servers of SHOUTcast's first version: their answers begin with `ICY 200 OK` and are like those of HTTP/1.0 otherwise.
//!
//! No HTTP client takes that. A server whose answer is no HTTP is asked once more, over a connection of its own.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, ResponseBuilderExt, Url};
use tokio::net::TcpStream;

use super::guard::{AddressGuard, ForbiddenAddress};

/// The longest beginning of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Header fields that are taken from it.
const MAX_FIELDS: usize = 64;
/// Bytes that are read at once.
const CHUNK: usize = 8 * 1024;

/// Goes with an answer of such a server: what it sends is what is on air.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnAir;

/// Whether a request failed because what came back is no HTTP. Such servers know no TLS.
pub(super) fn may_answer(url: &Url, error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(hyper::Error::is_parse) {
            return url.scheme() == "http";
        }
        cause = error.source();
    }
    false
}

/// Asks for what is on air; `None` when the server does not speak this either, or cannot be reached.
pub(super) async fn ask(
    url: &Url,
    guard: &Arc<AddressGuard>,
    headers: &HeaderMap,
    connect_timeout: Duration,
) -> Option<Response> {
    let stream = tokio::time::timeout(connect_timeout, connect(url, guard));
    let stream = stream.await.ok()?.ok()?;
    send(&stream, &request(url, headers)).await.ok()?;
    let (head, rest) = read_head(&stream).await.ok()?;
    let (status, fields) = parse(&head)?;
    let mut response = http::Response::builder()
        .status(status)
        .url(url.clone())
        .extension(OnAir);
    *response.headers_mut()? = fields;
    let body = Body {
        first: Some(rest).filter(|rest| !rest.is_empty()),
        stream,
    };
    response
        .body(reqwest::Body::wrap(body))
        .ok()
        .map(Response::from)
}

/// Connects to the first address of the host that may be connected to and answers.
async fn connect(url: &Url, guard: &AddressGuard) -> io::Result<TcpStream> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(80);
    let found = tokio::net::lookup_host((host, port)).await?;
    let permitted = guard
        .permitted(found.collect())
        .map_err(|ForbiddenAddress| io::ErrorKind::PermissionDenied)?;
    TcpStream::connect(permitted.as_slice()).await
}

fn request(url: &Url, headers: &HeaderMap) -> Vec<u8> {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let query = url
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let mut request = format!(
        "GET {}{query} HTTP/1.0\r\nHost: {host}{port}\r\nIcy-MetaData: 1\r\nAccept: */*\r\n",
        url.path()
    )
    .into_bytes();
    if !headers.contains_key(reqwest::header::USER_AGENT) {
        let version = env!("CARGO_PKG_VERSION");
        request.extend(format!("User-Agent: cadenza/{version}\r\n").bytes());
    }
    for (name, value) in headers {
        request.extend_from_slice(name.as_str().as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The beginning of an answer up to its empty line, and what came behind it.
async fn read_head(stream: &TcpStream) -> io::Result<(Vec<u8>, Bytes)> {
    let mut head = Vec::new();
    loop {
        let Some(chunk) = poll_fn(|context| read(stream, context)).await? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        head.extend_from_slice(&chunk);
        // Nothing but such an answer is waited for.
        let known = head.len().min(4);
        if head[..known] != b"ICY "[..known] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some(end) = end_of_head(&head) {
            let rest = Bytes::from(head.split_off(end));
            return Ok((head, rest));
        }
        if head.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// Where the empty line ends. Some servers end lines without a carriage return.
fn end_of_head(head: &[u8]) -> Option<usize> {
    let after = |mark: &[u8]| {
        let at = head.windows(mark.len()).position(|bytes| bytes == mark);
        at.map(|at| at + mark.len())
    };
    let ends = [after(b"\r\n\r\n"), after(b"\n\n")];
    ends.into_iter().flatten().min()
}

/// Status and header fields; lines that are no fields are passed over.
fn parse(head: &[u8]) -> Option<(u16, HeaderMap)> {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next()?.strip_prefix(b"ICY ")?.trim_ascii_start();
    let digits = status
        .get(..3)
        .filter(|_| !status.get(3).is_some_and(u8::is_ascii_digit))?;
    let status: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let mut fields = HeaderMap::new();
    for line in lines.take(MAX_FIELDS) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(line[..colon].trim_ascii());
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    (100..600).contains(&status).then_some((status, fields))
}

/// The next bytes of a connection; `None` at its end.
fn read(stream: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
    let mut chunk = [0; CHUNK];
    loop {
        ready!(stream.poll_read_ready(context))?;
        match stream.try_read(&mut chunk) {
            Ok(0) => return Poll::Ready(Ok(None)),
            Ok(count) => return Poll::Ready(Ok(Some(Bytes::copy_from_slice(&chunk[..count])))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// What follows the beginning, up to the end of the connection.
struct Body {
    first: Option<Bytes>,
    stream: TcpStream,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let chunk = ready!(read(&self.stream, context)).transpose();
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_however_their_lines_end() {
        for head in [
            "ICY 200 OK\r\nicy-name:Radio \u{fc}\r\nicy-metaint: 8192\r\nno field\r\n\r\n",
            "ICY 200 OK\nicy-name: Radio \u{fc}\nicy-metaint:8192\n: empty\n\n",
        ] {
            assert_eq!(end_of_head(head.as_bytes()), Some(head.len()));
            let (status, fields) = parse(head.as_bytes()).expect("an answer");
            assert_eq!((status, fields.len()), (200, 2));
            assert_eq!(fields["icy-metaint"], "8192");
            assert_eq!(fields["icy-name"].as_bytes(), "Radio \u{fc}".as_bytes());
        }
    }

    #[test]
    fn other_beginnings_are_no_answers() {
        for head in [
            "",
            "ICY",
            "ICY \r\n",
            "ICY 2OO\r\n",
            "ICY 9999\r\n",
            "ICY 700\r\n",
            "HTTP/1.0 200 OK\r\n",
        ] {
            assert!(parse(head.as_bytes()).is_none(), "{head}");
        }
        assert_eq!(
            parse(b"ICY 404 Resource Not Found\r\n\r\n").map(|(status, _)| status),
            Some(404)
        );
        assert_eq!(end_of_head(b"ICY 200 OK\r\nicy-name: x\r\n"), None);
    }

    #[test]
    fn requests_name_what_is_wanted_and_by_whom() {
        let url: Url = "http://radio.example:8000/stream?id=1"
            .parse()
            .expect("a URL");
        let mut headers = HeaderMap::new();
        headers.insert("referer", HeaderValue::from_static("http://a/"));
        let text = String::from_utf8(request(&url, &headers)).expect("text");
        assert!(text.starts_with(
            "GET /stream?id=1 HTTP/1.0\r\nHost: radio.example:8000\r\nIcy-MetaData: 1\r\n"
        ));
        assert!(
            text.contains("User-Agent: cadenza/") && text.ends_with("referer: http://a/\r\n\r\n")
        );
    }
}
