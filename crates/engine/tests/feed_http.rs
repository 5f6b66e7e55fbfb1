//! HTTP sources that behave and that do not: ranges, resets, stalls, lies, redirects, addresses.

mod feed_support;

use std::net::TcpListener;
use std::time::Duration;

use cadenza_engine::feed::{FeedConfig, FeedEvent, SourceSpec, code};

use feed_support::server::{Reply, Request, Server};
use feed_support::{Bench, CHUNK, config, content};

const ETAG: &str = "\"one\"";

/// Loads the path from a server with this handler, expects a failure, and returns code and message.
fn failure_of(
    config: FeedConfig,
    handler: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static,
) -> (&'static str, String, usize) {
    let server = Server::start(handler);
    let mut bench = Bench::new(config);
    bench
        .load(1, server.source("/secret-free.chunks?token=hunter2"))
        .drain();
    let (code, message) = bench.failure(1);
    assert!(!message.contains("hunter2"), "{message}");
    (code, message, server.requests().len())
}

fn impatient() -> FeedConfig {
    FeedConfig {
        connect_timeout: Duration::from_millis(100),
        stall_timeout: Duration::from_millis(100),
        stall_notice: Duration::from_millis(20),
        ..config()
    }
}

#[test]
fn plays_a_body_byte_for_byte() {
    let data = content(300 * CHUNK);
    let sent = data.clone();
    let server = Server::start(move |request, reply| reply.whole(request, &sent, ETAG));
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/a.chunks"));
    assert_eq!(listener.rest(), data);
    bench.ended(1);
    let opened = bench.wait_for(1, |event| match event {
        FeedEvent::Opened { info, track, .. } => Some((info.duration_ms, *track)),
        _ => None,
    });
    assert_eq!(opened, (Some(6_000), 1));
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].header("range"), Some("bytes=0-"));
}

#[test]
fn plays_bodies_without_ranges_or_length() {
    let data = content(400 * CHUNK);
    for head in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len()),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\n\r\n".to_owned(),
    ] {
        let sent = data.clone();
        let server = Server::start(move |_, reply| {
            reply.raw(&head);
            reply.raw(&sent);
        });
        let mut bench = Bench::new(config());
        assert_eq!(bench.load(1, server.source("/a")).rest(), data);
        bench.ended(1);
    }
}

#[test]
fn ignores_what_comes_after_the_announced_length() {
    let data = content(200 * CHUNK);
    let sent = data.clone();
    let server = Server::start(move |_, reply| {
        reply.raw("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n");
        reply.raw(&sent);
    });
    let mut bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/a")).rest(), data[..10_000]);
    bench.ended(1);
}

#[test]
fn joins_the_parts_of_a_server_that_sends_only_some_at_a_time() {
    let data = content(5 * 70_000);
    let sent = data.clone();
    let server = Server::start(move |request, reply| {
        let start = request.offset();
        let end = (start + 70_000).min(sent.len());
        reply.raw(format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n\
             Content-Range: bytes {start}-{}/{}\r\n\r\n",
            end - start,
            end - 1,
            sent.len()
        ));
        reply.raw(&sent[start..end]);
    });
    let bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/a")).rest(), data);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn seeks_with_a_range_request() {
    let data = content(20_000 * CHUNK);
    let sent = data.clone();
    let server = Server::start(move |request, reply| reply.whole(request, &sent, ETAG));
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/a"));
    assert_eq!(listener.next().0, data[..CHUNK]);
    bench.host.seek(1, 1, 19_900 * 20, 8);
    let (frame, meta) = listener.first_of(8);
    assert_eq!(frame, data[19_900 * CHUNK..19_901 * CHUNK]);
    assert_eq!((meta.position_ms, meta.last), (19_901 * 20, false));
    assert_eq!(listener.rest(), data[19_901 * CHUNK..]);
    bench.ended(1);
    let requests = server.requests();
    assert_eq!(requests[1].offset(), 19_900 * CHUNK);
    assert_eq!(requests[1].header("if-range"), Some(ETAG));

    bench.host.seek(1, 1, 0, 9);
    assert_eq!(listener.first_of(9).0, data[..CHUNK]);
}

#[test]
fn a_source_without_ranges_fails_a_seek_of_its_own_feed() {
    let data = content(20_000 * CHUNK);
    let server = Server::start(move |_, reply| {
        reply.raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            data.len()
        ));
        reply.raw(&data);
    });
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/a"));
    listener.next();
    bench.host.seek(1, 1, 19_900 * 20, 8);
    assert_eq!(bench.failure(1).0, "seek_failed");
}

#[test]
fn resumes_a_broken_body_at_the_same_byte() {
    let data = content(3_000 * CHUNK);
    let sent = data.clone();
    let server = Server::start(move |request, reply| {
        let len = if request.number == 0 {
            123_457
        } else {
            usize::MAX
        };
        reply.part(request, &sent, ETAG, len);
    });
    let mut bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/a")).rest(), data);
    bench.ended(1);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].offset(), 123_457);
    assert_eq!(requests[1].header("if-range"), Some(ETAG));
}

#[test]
fn resumes_by_reading_again_where_a_server_knows_no_ranges() {
    let data = content(1_000 * CHUNK);
    let sent = data.clone();
    let server = Server::start(move |request, reply| {
        reply.raw(format!(
            "HTTP/1.1 200 OK\r\nETag: {ETAG}\r\nContent-Length: {}\r\n\r\n",
            sent.len()
        ));
        let len = if request.number == 0 {
            70_001
        } else {
            sent.len()
        };
        reply.raw(&sent[..len]);
    });
    let mut bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/a")).rest(), data);
    bench.ended(1);
}

#[test]
fn refuses_to_join_two_different_files() {
    let head = |etag: &str, status: &str| {
        format!("HTTP/1.1 {status}\r\n{etag}Accept-Ranges: bytes\r\nContent-Length: 100000\r\n\r\n")
    };
    // Another tag in a part, another tag in a whole, no tag in a whole, another length.
    for case in 0..4 {
        let data = content(100_000);
        let (code, _, _) = failure_of(config(), move |request, reply| {
            match (request.number, case) {
                (0, _) => reply.part(request, &data, ETAG, 50_000),
                (_, 0) => reply.whole(request, &data, "\"two\""),
                (_, 1) => {
                    reply.raw(head("ETag: \"two\"\r\n", "200 OK"));
                    reply.raw(&data);
                }
                (_, 2) => {
                    reply.raw(head("", "200 OK"));
                    reply.raw(&data);
                }
                _ => reply.whole(request, &data[..90_000], ETAG),
            }
        });
        assert_eq!(code, code::SOURCE_CHANGED, "case {case}");
    }
}

#[test]
fn gives_up_on_a_body_that_breaks_off_again_and_again() {
    let data = content(100_000);
    let (code, _, requests) = failure_of(config(), move |request, reply| {
        reply.part(request, &data, ETAG, 1_000);
    });
    assert_eq!((code, requests), (code::HTTP_TRUNCATED, 4));
}

#[test]
fn a_short_body_that_cannot_be_resumed_is_truncated() {
    let (code, _, requests) = failure_of(config(), |_, reply| {
        reply.raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        reply.raw(content(50_000));
    });
    assert_eq!((code, requests), (code::HTTP_TRUNCATED, 1));
}

#[test]
fn what_came_before_a_failure_is_played() {
    let data = content(1_000 * CHUNK);
    let sent = data.clone();
    let server = Server::start(move |_, reply| {
        reply.raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        reply.raw(&sent[..60_000]);
    });
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/a"));
    assert_eq!(listener.take(60_000), data[..60_000]);
    assert_eq!(bench.failure(1).0, code::HTTP_TRUNCATED);
}

#[test]
fn a_decoder_that_takes_errors_for_the_end_hides_no_failure() {
    let server = Server::start(|_, reply| {
        reply.raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        reply.raw(content(50_000));
    });
    let mut bench = Bench::new(config());
    bench.load(1, server.source("/a.deaf")).drain();
    assert_eq!(bench.failure(1).0, code::HTTP_TRUNCATED);
}

#[test]
fn reports_a_stall_and_then_fails() {
    let server = Server::start(|request, reply| {
        let body_len = if request.number == 0 { 20_000 } else { 0 };
        reply.part(request, &content(100_000), ETAG, body_len);
        reply.stall();
    });
    let mut bench = Bench::new(impatient());
    let mut listener = bench.load(1, server.source("/a"));
    assert_eq!(listener.take(20_000), content(20_000));
    bench.stalled(1);
    assert_eq!(bench.failure(1).0, code::HTTP_STALLED);
    assert_eq!(server.requests().len(), 2, "one more try, not more");
}

#[test]
fn times_out_without_an_answer() {
    let (code, ..) = failure_of(impatient(), |_, reply| reply.stall());
    assert_eq!(code, code::HTTP_TIMEOUT);
}

#[test]
fn names_what_is_wrong_with_an_answer() {
    for (answer, expected) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            code::HTTP_STATUS,
        ),
        (
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
            code::HTTP_STATUS,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", code::HTTP_STATUS),
        (
            "HTTP/1.1 206 Part\r\nContent-Length: 3\r\n\r\nabc",
            code::HTTP_STATUS,
        ),
        (
            "HTTP/1.1 206 Part\r\nContent-Range: bytes 7-9/10\r\nContent-Length: 3\r\n\r\nabc",
            code::HTTP_STATUS,
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://\r\n\r\n",
            code::HTTP_STATUS,
        ),
        (
            "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
            code::HTTP_STATUS,
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
            code::HTTP_INVALID_URL,
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", code::HTTP_CONNECT_FAILED),
        ("", code::HTTP_CONNECT_FAILED),
    ] {
        let (code, message, requests) = failure_of(config(), move |_, reply| reply.raw(answer));
        // What is no HTTP might be a radio station's answer of old: it is asked once more.
        let tries = if answer.starts_with("SSH") { 2 } else { 1 };
        assert_eq!((code, requests), (expected, tries), "{answer} {message}");
    }
}

#[test]
fn an_empty_source_ends_at_once() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 416 No\r\nContent-Range: bytes */0\r\nContent-Length: 0\r\n\r\n",
    ] {
        let server = Server::start(move |_, reply| reply.raw(answer));
        let mut bench = Bench::new(config());
        assert!(bench.load(1, server.source("/a")).rest().is_empty());
        bench.ended(1);
    }
}

#[test]
fn refuses_what_is_too_large_announced_or_not() {
    let small = || FeedConfig {
        max_source_bytes: 50_000,
        ..config()
    };
    for head in ["Content-Length: 50001\r\n", "Connection: close\r\n"] {
        let (code, ..) = failure_of(small(), move |_, reply| {
            reply.raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n"));
            reply.raw(content(50_001));
        });
        assert_eq!(code, code::HTTP_TOO_LARGE, "{head}");
    }
}

#[test]
fn follows_five_redirects_and_no_more() {
    let data = content(50 * CHUNK);
    let sent = data.clone();
    let server = Server::start(move |request, reply| {
        if request.number == 5 {
            return reply.whole(request, &sent, ETAG);
        }
        reply.raw(format!(
            "HTTP/1.1 302 Found\r\nLocation: hop{}\r\n\r\n",
            request.number
        ));
    });
    let bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/dir/a")).rest(), data);
    assert_eq!(server.requests()[5].path, "/dir/hop4");

    let (code, _, requests) = failure_of(config(), |_, reply| {
        reply.raw("HTTP/1.1 301 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    });
    assert_eq!((code, requests), (code::HTTP_TOO_MANY_REDIRECTS, 6));
}

#[test]
fn an_unreachable_server_is_named_without_secrets() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("is bound").port()
    };
    let mut bench = Bench::new(config());
    for (feed, url) in [
        (
            1,
            format!("http://user:hunter2@127.0.0.1:{port}/x.ogg?key=hunter2#hunter2"),
        ),
        (2, format!("https://user:hunter2@127.0.0.1:{port}/?hunter2")),
    ] {
        let _listener = bench.load(
            feed,
            SourceSpec::Http {
                url,
                headers: Vec::new(),
            },
        );
        let (code, message) = bench.failure(feed);
        assert_eq!(code, code::HTTP_CONNECT_FAILED);
        assert!(
            !message.contains("hunter2") && !message.contains("user"),
            "{message}"
        );
        assert!(message.contains(&format!("127.0.0.1:{port}")), "{message}");
    }
}

#[test]
fn private_addresses_are_refused_before_a_connection_is_made() {
    let server = Server::start(|request, reply| reply.whole(request, b"secret", ETAG));
    let guarded = FeedConfig {
        allow_private_hosts: false,
        ..config()
    };
    let mut bench = Bench::new(guarded);
    let port = server.address.port();
    for (feed, host) in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "127.1",
    ]
    .into_iter()
    .enumerate()
    {
        let feed = feed as u32;
        let url = format!("http://{host}:{port}/");
        let _listener = bench.load(
            feed,
            SourceSpec::Http {
                url,
                headers: Vec::new(),
            },
        );
        assert_eq!(
            bench.failure(feed).0,
            code::HTTP_FORBIDDEN_ADDRESS,
            "{host}"
        );
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_redirect_cannot_lead_around_the_guard() {
    let inner = Server::start_at("127.0.0.2:0", |request, reply| {
        reply.whole(request, b"secret", ETAG);
    });
    let port = inner.address.port();
    let outer = Server::start(move |_, reply| {
        reply.raw(format!(
            "HTTP/1.1 307 There\r\nLocation: http://127.0.0.2:{port}/\r\n\r\n"
        ));
    });
    let mut bench = Bench::new(FeedConfig {
        allow_private_hosts: false,
        allowed_private_addresses: vec![outer.address.ip()],
        ..config()
    });
    let _listener = bench.load(1, outer.source("/"));
    assert_eq!(bench.failure(1).0, code::HTTP_FORBIDDEN_ADDRESS);
    assert_eq!((outer.requests().len(), inner.requests().len()), (1, 0));
}

#[test]
fn fields_of_a_source_go_with_its_requests() {
    let data = content(50 * CHUNK);
    let sent = data.clone();
    let elsewhere = Server::start(move |request, reply| reply.whole(request, &sent, ETAG));
    let SourceSpec::Http { url: away, .. } = elsewhere.source("/song") else {
        panic!("an http source")
    };
    let server = Server::start(move |_, reply| {
        reply.raw(format!("HTTP/1.1 302 Found\r\nLocation: {away}\r\n\r\n"));
    });
    let SourceSpec::Http { url, .. } = server.source("/a") else {
        panic!("an http source")
    };
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![
        field("User-Agent", "test/1"),
        field("Cookie", "a=b"),
        field("Range", "bytes=9-"),
    ];
    let bench = Bench::new(config());
    assert_eq!(
        bench.load(1, SourceSpec::Http { url, headers }).rest(),
        data
    );
    let (first, second) = (&server.requests()[0], &elsewhere.requests()[0]);
    assert_eq!(first.header("user-agent"), Some("test/1"));
    assert_eq!(first.header("cookie"), Some("a=b"));
    assert_eq!(first.header("range"), Some("bytes=0-"));
    assert_eq!(second.header("user-agent"), Some("test/1"));
    assert_eq!(second.header("cookie"), None);
}
