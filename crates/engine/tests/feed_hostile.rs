//! Servers that mean harm: endless headers, a trickle, no TLS, compressed answers; and texts that are garbage.

mod feed_support;

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use cadenza_engine::feed::{FeedConfig, IcyFilter, IcyPiece, SourceSpec, code, hls, playlist};
use proptest::prelude::*;

use feed_support::server::{Reply, Request, Server};
use feed_support::{Bench, CHUNK, config, content};

fn failure_of(
    config: FeedConfig,
    handler: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static,
) -> (&'static str, String) {
    let server = Server::start(handler);
    let mut bench = Bench::new(config);
    bench.load(1, server.source("/a")).drain();
    bench.failure(1)
}

#[test]
fn endless_headers_are_cut_off() {
    for line in ["X-Long: ", "X: y\r\n"] {
        let (code, _) = failure_of(config(), move |_, reply| {
            reply.raw("HTTP/1.1 200 OK\r\n");
            for _ in 0..200_000 {
                reply.raw(line);
            }
        });
        assert_eq!(code, code::HTTP_CONNECT_FAILED, "{line}");
    }
}

#[test]
fn a_trickle_is_no_source() {
    let impatient = FeedConfig {
        stall_timeout: Duration::from_millis(300),
        resume_attempts: 0,
        ..config()
    };
    let (code, _) = failure_of(impatient, |_, reply| {
        reply.raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        for byte in content(1_000) {
            reply.raw([byte]);
            std::thread::sleep(Duration::from_millis(10));
        }
        reply.stall();
    });
    assert_eq!(code, code::HTTP_STALLED);
}

#[test]
fn what_speaks_no_tls_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("is bound");
    let server = std::thread::spawn(move || {
        // A greeting answered with plain HTTP, as by a server behind the wrong port.
        let (mut stream, _) = listener.accept().expect("accepts");
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let mut bench = Bench::new(config());
    let url = format!("https://{address}/a?token=hunter2");
    let _listener = bench.load(
        1,
        SourceSpec::Http {
            url,
            headers: Vec::new(),
        },
    );
    let (code, message) = bench.failure(1);
    assert_eq!(code, code::HTTP_TLS_FAILED, "{message}");
    assert!(!message.contains("hunter2"), "{message}");
    server.join().expect("the server ends");
}

#[test]
fn compressed_answers_are_not_unpacked() {
    let sent = content(100 * CHUNK);
    let data = sent.clone();
    let server = Server::start(move |_, reply| {
        reply.raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            sent.len()
        ));
        reply.raw(&sent);
    });
    let bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/a")).rest(), data);
    let requests = server.requests();
    assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn one_host_gets_so_many_connections() {
    let server = Server::start(|request, reply| {
        reply.part(request, &content(1_000_000), "\"x\"", 50_000);
        reply.stall();
    });
    let few = FeedConfig {
        max_connections_per_host: 2,
        ..config()
    };
    let mut bench = Bench::new(few);
    let mut first = bench.load(1, server.source("/1"));
    let mut second = bench.load(2, server.source("/2"));
    first.next();
    second.next();
    let _third = bench.load(3, server.source("/3"));
    assert_eq!(bench.failure(3).0, code::HTTP_HOST_BUSY);
    assert_eq!(server.requests().len(), 2);
    // A connection that is over makes room.
    bench.host.cancel(1, 1);
    feed_support::until("room", || {
        let _again = bench.load(4, server.source("/4"));
        server.requests().len() == 3 || {
            std::thread::sleep(Duration::from_millis(20));
            server.requests().len() == 3
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn playlists_never_panic(
        lines in prop::collection::vec((0..14_usize, "[ -~]{0,40}"), 0..40),
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        const STARTS: [&str; 14] = [
            "", "#EXTINF:", "#EXT-X-KEY:METHOD=AES-128,URI=\"", "#EXT-X-KEY:", "#EXT-X-MAP:URI=\"a\",BYTERANGE=",
            "#EXT-X-BYTERANGE:", "#EXT-X-STREAM-INF:", "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=", "#EXT-X-MEDIA-SEQUENCE:",
            "#EXT-X-TARGETDURATION:", "[playlist]", "File1=", "#EXT-X-DISCONTINUITY", "segment",
        ];
        let mut text = b"#EXTM3U\n".to_vec();
        for (start, rest) in &lines {
            text.extend_from_slice(format!("{}{rest}\n", STARTS[*start]).as_bytes());
        }
        text.extend(tail);
        prop_assert!(playlist::entries(&text).len() <= playlist::MAX_ENTRIES);
        let _ = (playlist::kind(&text), playlist::is_playlist(&text, None, Some("m3u")));
        match hls::parse(&text) {
            Ok(hls::Hls::Media(media)) => {
                prop_assert!(media.segments.len() <= hls::MAX_SEGMENTS);
                let _ = (media.total_us(), media.end(), media.segment(media.sequence));
            }
            Ok(hls::Hls::Master(master)) => prop_assert!(hls::choices(&master).len() <= 4),
            Err(_) => {}
        }
    }

    #[test]
    fn titles_and_sound_come_apart_whatever_the_bytes(
        interval in 1..2_000_u64,
        bytes in prop::collection::vec(any::<u8>(), 0..20_000),
        step in 1..3_000_usize,
    ) {
        let mut filter = IcyFilter::new(interval).expect("an interval");
        let mut sound = 0;
        for part in bytes.chunks(step) {
            filter.push(part, |piece| match piece {
                IcyPiece::Sound(bytes) => sound += bytes.len(),
                IcyPiece::Title { title, url } => {
                    assert!(title.chars().count() <= 512);
                    assert!(url.is_none_or(|url| url.chars().count() <= 512));
                }
            });
        }
        prop_assert!(sound <= bytes.len());
    }

    #[test]
    fn segments_never_panic(
        head in 0..6_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        key in prop::option::of(any::<[u8; 16]>()),
        step in 1..500_usize,
    ) {
        const HEADS: [&[u8]; 6] = [b"", b"\x47\x40\0\x10", b"ID3\x04\0\0\0\0\0\x20", b"\xFF\xF1\x50\x80", b"\0\0\0\x18styp", b"\0\0\0\x18ftyp"];
        let segment = [HEADS[head], &bytes].concat();
        let mut reader = hls::SegmentReader::new();
        let mut sound = 0;
        prop_assert!(reader.begin(key.as_ref().map(|key| (key, [0; 16]))).is_ok());
        let pushed = segment.chunks(step).try_for_each(|part| reader.push(part, |_, bytes| sound += bytes.len()));
        let _ = pushed.and_then(|()| reader.finish(|_, bytes| sound += bytes.len()));
        prop_assert!(sound <= segment.len() + 16);
    }
}
