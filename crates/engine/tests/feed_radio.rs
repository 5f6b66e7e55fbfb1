//! Radio streams: titles between the sound, connections that end, no length and no seeking.

mod feed_support;

use cadenza_engine::feed::{FeedConfig, FeedEvent, code};

use feed_support::server::{Reply, Request, Server};
use feed_support::{Bench, CHUNK, config, content};

/// An ICY body of `content`: a title each 1,000 bytes.
fn icy_body(content: &[u8], titles: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, part) in content.chunks(1_000).enumerate() {
        body.extend_from_slice(part);
        if part.len() < 1_000 {
            break;
        }
        let text = titles
            .get(index)
            .map_or(String::new(), |title| format!("StreamTitle='{title}';"));
        let count = text.len().div_ceil(16);
        body.push(count as u8);
        body.extend(text.bytes().chain(std::iter::repeat(0)).take(16 * count));
    }
    body
}

const ICY_HEAD: &str = "HTTP/1.0 200 OK\r\nicy-name: Radio Test\r\nicy-url: http://r/\r\n\
                        icy-metaint: 1000\r\nContent-Type: audio/mpeg\r\n\r\n";

fn said(event: &FeedEvent) -> Option<(Option<String>, Option<String>)> {
    match event {
        FeedEvent::Metadata { metadata, .. } => {
            Some((metadata.title.clone(), metadata.station.clone()))
        }
        _ => None,
    }
}

#[test]
fn a_radio_stream_plays_without_its_titles_which_are_told() {
    let data = content(300 * CHUNK);
    let body = icy_body(&data, &["First", "Second"]);
    let server = Server::start(move |_, reply| {
        reply.raw(ICY_HEAD);
        reply.raw(&body);
        reply.stall();
    });
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/radio"));
    let mut heard = Vec::new();
    while heard.len() < data.len() - 16 * 1024 {
        heard.extend(listener.next().0);
    }
    assert_eq!(heard, data[..heard.len()]);
    let station = Some("Radio Test".to_owned());
    assert_eq!(bench.wait_for(1, said), (None, station.clone()));
    assert_eq!(
        bench.wait_for(1, said),
        (Some("First".into()), station.clone())
    );
    assert_eq!(bench.wait_for(1, said), (Some("Second".into()), station));
    let opened = bench.wait_for(1, |event| match event {
        FeedEvent::Opened { info, .. } => Some((info.duration_ms, info.seekable)),
        _ => None,
    });
    assert_eq!(opened, (None, false));
    assert_eq!(server.requests()[0].header("icy-metadata"), Some("1"));
}

#[test]
fn a_radio_stream_that_breaks_off_goes_on_with_what_is_on_air() {
    let data = content(2_000 * CHUNK);
    let (first, second) = data.split_at(100 * 1_000);
    let bodies = [icy_body(first, &["One"]), icy_body(second, &["Two"])];
    let server = Server::start(move |request, reply| {
        reply.raw(ICY_HEAD);
        if let Some(body) = bodies.get(request.number) {
            reply.raw(body);
        } else {
            reply.stall();
        }
    });
    let mut bench = Bench::new(FeedConfig {
        max_source_bytes: 50_000,
        ..config()
    });
    let mut listener = bench.load(1, server.source("/radio"));
    assert_eq!(
        listener.take(data.len() - 20_000),
        data[..data.len() - 20_000]
    );
    assert!(
        bench
            .others()
            .iter()
            .any(|event| said(event).is_some_and(|(title, _)| title.as_deref() == Some("Two")))
    );
}

#[test]
fn a_radio_station_that_is_gone_is_an_error() {
    let (code, _, requests) = failure_of(config(), move |request, reply| {
        if request.number == 0 {
            reply.raw(ICY_HEAD);
            reply.raw(icy_body(&content(100_000), &[]));
        } else {
            reply.raw("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
        }
    });
    assert_eq!((code, requests), (code::HTTP_STATUS, 4));
}

/// Loads a radio stream from a server with this handler and waits for its failure.
fn failure_of(
    config: FeedConfig,
    handler: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static,
) -> (&'static str, String, usize) {
    let server = Server::start(handler);
    let mut bench = Bench::new(config);
    bench.load(1, server.source("/radio")).drain();
    let (code, message) = bench.failure(1);
    (code, message, server.requests().len())
}
