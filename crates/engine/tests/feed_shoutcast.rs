//! Radio from servers of SHOUTcast's first version, whose answers begin with `ICY 200 OK`, and from those that only seem to be.

mod feed_support;

use std::sync::Arc;

use cadenza_engine::feed::{AudioTracks, FeedConfig, FeedEvent, code};

use feed_support::server::{Reply, Request, Server};
use feed_support::{Bench, CHUNK, config, content};

fn said(event: &FeedEvent) -> Option<(Option<String>, Option<String>)> {
    match event {
        FeedEvent::Metadata { metadata, .. } => {
            Some((metadata.title.clone(), metadata.station.clone()))
        }
        _ => None,
    }
}

fn opened(event: &FeedEvent) -> Option<(Option<u64>, bool)> {
    match event {
        FeedEvent::Opened { info, .. } => Some((info.duration_ms, info.seekable)),
        _ => None,
    }
}

#[test]
fn a_station_that_answers_icy_plays_with_its_titles() {
    let data = content(300 * CHUNK);
    let mut body = Vec::new();
    for (index, part) in data.chunks(1_000).enumerate() {
        body.extend_from_slice(part);
        match index {
            0 => body.extend_from_slice(b"\x02StreamTitle='The first song';\0\0\0"),
            _ => body.push(0),
        }
    }
    let server = Server::start(move |request, reply| {
        reply.raw("ICY 200 OK\r\nicy-name:Old Radio\r\nicy-metaint:1000\r\n\r\n");
        if request.header("icy-metadata") == Some("1") {
            reply.raw(&body);
        }
        reply.stall();
    });
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/;stream.mp3?x=1"));
    assert!(listener.take(13_000) == data[..13_000]);
    let station = Some("Old Radio".to_owned());
    assert_eq!(bench.wait_for(1, said), (None, station.clone()));
    let first = Some("The first song".to_owned());
    assert_eq!(bench.wait_for(1, said), (first, station));
    assert_eq!(bench.wait_for(1, opened), (None, false));
    assert_eq!(server.requests()[1].path, "/;stream.mp3?x=1");
}

#[test]
fn a_station_without_titles_or_any_field_is_on_air_too() {
    let data = content(2_000 * CHUNK);
    let parts = [data[..100_000].to_vec(), data[100_000..].to_vec()];
    let server = Server::start(move |request, reply| {
        reply.raw("ICY 200 OK\n\n");
        // The first try of each connection is HTTP, and its answer is not taken.
        match parts.get(request.number / 2) {
            Some(part) => reply.raw(part),
            None => reply.stall(),
        }
    });
    let mut bench = Bench::new(FeedConfig {
        max_source_bytes: 50_000,
        ..config()
    });
    let mut listener = bench.load(1, server.source("/"));
    // It goes on with what is on air when the connection ends.
    let most = data.len() - 20_000;
    assert!(listener.take(most) == data[..most]);
    assert_eq!(bench.wait_for(1, opened), (None, false));
}

/// Loads a source from a server with this handler and waits for its failure.
fn failure_of(
    config: FeedConfig,
    handler: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static,
) -> &'static str {
    let server = Server::start(handler);
    let mut bench = Bench::new(config);
    bench.load(1, server.source("/radio")).drain();
    bench.failure(1).0
}

#[test]
fn hostile_answers_end_with_an_error() {
    let failures = [
        ("ICY 404 Resource Not Found\r\n\r\n", code::HTTP_STATUS),
        ("ICY nonsense\r\n\r\n", code::HTTP_CONNECT_FAILED),
        ("ICY 99999\r\n\r\n", code::HTTP_CONNECT_FAILED),
        ("ICY 200 OK\r\nicy-name: cut off", code::HTTP_CONNECT_FAILED),
        ("ICECAST 200 OK\r\n\r\n", code::HTTP_CONNECT_FAILED),
        ("", code::HTTP_CONNECT_FAILED),
    ];
    for (answer, expected) in failures {
        let code = failure_of(config(), move |_, reply| reply.raw(answer));
        assert_eq!(code, expected, "{answer}");
    }
    let endless_head = failure_of(config(), |_, reply| {
        reply.raw("ICY 200 OK\r\n");
        for _ in 0..2_000 {
            reply.raw("icy-notice1: more and more of this\r\n");
        }
    });
    assert_eq!(endless_head, code::HTTP_CONNECT_FAILED);
}

#[test]
fn a_station_that_falls_silent_in_its_answer_is_given_up() {
    let config = FeedConfig {
        connect_timeout: std::time::Duration::from_millis(200),
        stall_timeout: std::time::Duration::from_millis(300),
        stall_notice: std::time::Duration::from_millis(100),
        resume_attempts: 0,
        ..config()
    };
    let code = failure_of(config, |_, reply| {
        reply.raw("ICY 200 OK\r\nicy-name: ");
        reply.stall();
    });
    assert_eq!(code, code::HTTP_TIMEOUT);
}

#[test]
fn a_redirect_to_such_a_station_at_a_forbidden_address_is_not_followed() {
    let inner = Server::start(|_, reply| reply.raw("ICY 200 OK\r\n\r\n"));
    let target = format!("http://127.0.0.2:{}/", inner.address.port());
    let server = Server::start(move |_, reply| {
        reply.raw(format!(
            "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        ));
    });
    let mut bench = Bench::new(FeedConfig {
        allow_private_hosts: false,
        allowed_private_addresses: vec!["127.0.0.1".parse().expect("an address")],
        ..config()
    });
    bench.load(1, server.source("/radio")).drain();
    assert_eq!(bench.failure(1).0, code::HTTP_FORBIDDEN_ADDRESS);
}

/// A station whose server sends a file's beginning first, as many do after a change of the song.
#[test]
fn what_is_on_air_has_no_length_whatever_its_first_frame_says() {
    let path = format!(
        "{}/../audio/tests/fixtures/stereo-44100.mp3",
        env!("CARGO_MANIFEST_DIR")
    );
    let song = std::fs::read(path).expect("a fixture");
    let server = Server::start(move |_, reply| {
        reply.raw("HTTP/1.0 200 OK\r\nicy-name: Loop\r\nContent-Type: audio/mpeg\r\n\r\n");
        for _ in 0..4 {
            reply.raw(&song);
        }
        reply.stall();
    });
    let mut bench = Bench::with_opener(config(), Arc::new(AudioTracks), Arc::default());
    let mut listener = bench.load(1, server.source("/radio"));
    let mut frames = 0;
    // The file has two seconds by its own account, and this is more than that.
    while frames < 250 {
        listener.next();
        frames += 1;
    }
    assert_eq!(bench.wait_for(1, opened), (None, false));
}
