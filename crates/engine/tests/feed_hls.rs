//! HLS and playlists: segments one after the other, live lists that move on, keys, seeks, and what is wrong.

mod feed_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cadenza_engine::feed::{AudioTracks, FeedConfig, FeedEvent, code};

use feed_support::server::{Reply, Request, Server};
use feed_support::{Bench, CHUNK, config, content};

/// A segment of so many frames of the predictable decoder; it looks like AAC.
fn segment(number: u8, frames: usize) -> Vec<u8> {
    let mut bytes = content(frames * CHUNK);
    for frame in bytes.chunks_mut(CHUNK) {
        frame[..4].copy_from_slice(&[0xFF, 0xF1, 0x50, number]);
    }
    bytes
}

/// A list of segments `0` to `count` of 200 ms each.
fn list(first: u64, count: u64, end: bool) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    for number in first..first + count {
        text += &format!("#EXTINF:0.2,\n{number}.aac\n");
    }
    if end {
        text += "#EXT-X-ENDLIST\n";
    }
    text
}

fn text(reply: &mut Reply<'_>, body: &str) {
    reply.raw(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
}

fn missing(reply: &mut Reply<'_>) {
    reply.raw("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

/// The number in a path such as `/7.aac`.
fn number(request: &Request) -> Option<u64> {
    request
        .path
        .strip_prefix('/')?
        .strip_suffix(".aac")?
        .parse()
        .ok()
}

/// Serves `/list.m3u8` and segments of 10 frames.
fn vod(
    count: u64,
    wrong: impl Fn(&Request, &mut Reply<'_>) -> bool + Send + Sync + 'static,
) -> Server {
    Server::start(move |request, reply| {
        if wrong(request, reply) {
            return;
        }
        match number(request) {
            Some(number) => reply.whole(request, &segment(number as u8, 10), "\"s\""),
            None => text(reply, &list(0, count, true)),
        }
    })
}

fn failure_of(
    config: FeedConfig,
    handler: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static,
) -> (&'static str, String) {
    let server = Server::start(handler);
    let mut bench = Bench::new(config);
    bench.load(1, server.source("/list.m3u8")).drain();
    bench.failure(1)
}

fn all(numbers: std::ops::Range<u8>) -> Vec<u8> {
    numbers.flat_map(|number| segment(number, 10)).collect()
}

#[test]
fn a_finished_list_plays_whole_with_its_length() {
    let server = vod(5, |_, _| false);
    let mut bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/list.m3u8")).rest(), all(0..5));
    let opened = bench.wait_for(1, |event| match event {
        FeedEvent::Opened { info, .. } => Some((info.duration_ms, info.seekable)),
        _ => None,
    });
    assert_eq!(opened, (Some(1_000), true));
    bench.ended(1);
}

#[test]
fn a_list_is_sought_by_time_back_and_forth() {
    let server = vod(200, |_, _| false);
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/list.m3u8"));
    assert_eq!(listener.next().0, segment(0, 1));
    // Segment 150 begins at 30,000 ms; 60 ms on is its fourth frame.
    bench.host.seek(1, 1, 30_060, 8);
    let (frame, meta) = listener.first_of(8);
    assert_eq!(
        (frame, meta.position_ms),
        (segment(150, 10)[300..400].to_vec(), 30_080)
    );
    bench.host.seek(1, 1, 0, 9);
    let (frame, meta) = listener.first_of(9);
    assert_eq!((frame, meta.position_ms), (segment(0, 1), 20));
    bench.host.seek(1, 1, 39_980, 10);
    assert_eq!(listener.first_of(10).0, segment(199, 10)[900..].to_vec());
    bench.ended(1);
    bench.host.seek(1, 1, 39_800, 11);
    assert_eq!(listener.first_of(11).1.position_ms, 39_820);
}

#[test]
fn a_live_list_is_followed_from_near_its_end_and_ends() {
    let looks = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |request, reply| match number(request) {
        Some(number) => reply.whole(request, &segment(number as u8, 10), ""),
        None => {
            // 30 segments of 0.2 s: the last three seconds are 15 of them.
            let look = looks.fetch_add(1, Ordering::SeqCst) as u64;
            text(reply, &list(10 + 2 * look, 30, look >= 2));
        }
    });
    let mut bench = Bench::new(config());
    let heard = bench.load(1, server.source("/list.m3u8")).rest();
    assert_eq!(heard, all(25..44));
    let opened = bench.wait_for(1, |event| match event {
        FeedEvent::Opened { info, .. } => Some((info.duration_ms, info.seekable)),
        _ => None,
    });
    assert_eq!(opened, (None, false));
    bench.ended(1);
}

#[test]
fn a_live_list_that_stands_still_fails() {
    let impatient = FeedConfig {
        stall_timeout: Duration::from_millis(300),
        ..config()
    };
    let (code, _) = failure_of(impatient, |request, reply| match number(request) {
        Some(number) => reply.whole(request, &segment(number as u8, 10), ""),
        None => text(reply, &list(0, 3, false)),
    });
    assert_eq!(code, code::HTTP_STALLED);
}

#[test]
fn a_live_source_cannot_be_sought_in() {
    let server = Server::start(|request, reply| match number(request) {
        Some(number) => reply.whole(request, &segment(number as u8, 100), ""),
        None => text(reply, &list(0, 3, false)),
    });
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/list.m3u8"));
    listener.next();
    bench.host.seek(1, 1, 0, 8);
    assert_eq!(bench.failure(1).0, "seek_failed");
}

#[test]
fn a_segment_that_breaks_off_goes_on_at_the_same_byte() {
    let server = vod(3, |request, reply| {
        let cut = request.path == "/1.aac" && request.offset() == 0;
        if cut {
            reply.part(request, &segment(1, 10), "\"s\"", 333);
        }
        cut
    });
    let bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/list.m3u8")).rest(), all(0..3));
    let again: Vec<_> = server
        .requests()
        .iter()
        .filter(|request| request.path == "/1.aac")
        .map(Request::offset)
        .collect();
    assert_eq!(again, [0, 333]);
}

#[test]
fn missing_segments_are_passed_over_with_the_time_they_take() {
    let server = vod(8, |request, reply| {
        let gone = number(request).is_some_and(|number| (2..5).contains(&number));
        if gone {
            missing(reply);
        }
        gone
    });
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/list.m3u8"));
    assert_eq!(listener.take(20 * CHUNK), all(0..2));
    let (frame, meta) = listener.next();
    assert_eq!((frame, meta.position_ms), (segment(5, 1), 1_020));
    assert_eq!(listener.take(29 * CHUNK), all(5..8)[CHUNK..]);
    bench.ended(1);
}

#[test]
fn a_source_whose_segments_are_all_gone_fails() {
    let (code, _) = failure_of(config(), |request, reply| match number(request) {
        Some(_) => missing(reply),
        None => text(reply, &list(0, 30, true)),
    });
    assert_eq!(code, code::HTTP_STATUS);
    let (code, _) = failure_of(config(), |request, reply| match number(request) {
        Some(_) => text(reply, "<html>please log in</html>"),
        None => text(reply, &list(0, 30, true)),
    });
    assert_eq!(code, "unsupported_format");
}

#[test]
fn breaks_begin_a_stream_of_their_own() {
    let server = Server::start(|request, reply| match number(request) {
        Some(number) => reply.whole(request, &segment(number as u8, 10), ""),
        None => text(
            reply,
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.2,\n0.aac\n#EXT-X-DISCONTINUITY\n\
             #EXTINF:0.2,\n1.aac\n#EXTINF:0.2,\n2.aac\n#EXT-X-ENDLIST\n",
        ),
    });
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, server.source("/list.m3u8"));
    assert_eq!(listener.take(10 * CHUNK), all(0..1));
    let (frame, meta) = listener.next();
    assert_eq!((frame, meta.position_ms), (segment(1, 1), 220));
    assert_eq!(listener.rest(), all(1..3)[CHUNK..]);
    let opened = bench
        .others()
        .iter()
        .filter(|event| matches!(event, FeedEvent::Opened { .. }))
        .count();
    assert_eq!(opened, 1, "told once");
}

#[test]
fn playing_begins_where_it_is_asked_for() {
    let server = vod(10, |_, _| false);
    let bench = Bench::new(config());
    let mut listener = bench.load_between(1, server.source("/list.m3u8"), 260, None);
    let (frame, meta) = listener.next();
    assert_eq!(
        (frame, meta.position_ms),
        (segment(1, 10)[300..400].to_vec(), 280)
    );
    assert_eq!(
        server.requests()[1].path,
        "/1.aac",
        "what lies in front is not fetched"
    );
}

#[test]
fn parts_of_one_file_are_asked_for_by_range() {
    let file: Vec<u8> = all(0..3);
    let sent = file.clone();
    let server = Server::start(move |request, reply| {
        if request.path != "/all.aac" {
            return text(
                reply,
                "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-BYTERANGE:1000@0\n#EXTINF:0.2,\nall.aac\n\
                 #EXT-X-BYTERANGE:1000\n#EXTINF:0.2,\nall.aac\n#EXT-X-BYTERANGE:1000@2000\n#EXTINF:0.2,\nall.aac\n#EXT-X-ENDLIST\n",
            );
        }
        // This one knows no ranges.
        reply.raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            sent.len()
        ));
        reply.raw(&sent);
    });
    let bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/list.m3u8")).rest(), file);
    assert_eq!(
        server.requests()[2].header("range"),
        Some("bytes=1000-1999")
    );
}

#[test]
fn the_best_variant_that_answers_is_played() {
    let server = vod(2, |request, reply| {
        match request.path.as_str() {
            "/master.m3u8" => text(
                reply,
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\nlow/list.m3u8\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS=\"mp4a.40.2\"\nlist.m3u8\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=256000,CODECS=\"mp4a.40.2\"\ngone.m3u8\n",
            ),
            "/gone.m3u8" => missing(reply),
            _ => return false,
        }
        true
    });
    let bench = Bench::new(config());
    assert_eq!(
        bench.load(1, server.source("/master.m3u8")).rest(),
        all(0..2)
    );
    let paths: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths[..3], ["/master.m3u8", "/gone.m3u8", "/list.m3u8"]);
}

#[test]
fn locks_without_a_key_and_wrong_keys_are_named() {
    for (tag, key) in [
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"key\"",
            "0123456789abcdef",
        ),
        ("#EXT-X-KEY:METHOD=AES-128,URI=\"key\"", "too short"),
        ("#EXT-X-KEY:METHOD=AES-128,URI=\"key\"", "0123456789abcdef"),
    ] {
        let (code, message) = failure_of(config(), move |request, reply| {
            match request.path.as_str() {
                "/key" => text(reply, key),
                "/0.aac" => reply.whole(request, &segment(0, 10), ""),
                _ => text(
                    reply,
                    &format!(
                        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n{tag}\n#EXTINF:0.2,\n0.aac\n#EXT-X-ENDLIST\n"
                    ),
                ),
            }
        });
        assert_eq!(code, code::HLS_ENCRYPTED, "{tag} {key}: {message}");
    }
}

#[test]
fn playlists_lead_to_the_first_source_that_answers() {
    let server = vod(1, |request, reply| {
        match request.path.as_str() {
            "/radio.pls" => text(
                reply,
                "[playlist]\nFile1=gone.aac\nFile2=next.m3u\nNumberOfEntries=2\n",
            ),
            "/next.m3u" => text(reply, "#EXTM3U\n#EXTINF:-1,x\n0.aac\n"),
            "/gone.aac" => missing(reply),
            _ => return false,
        }
        true
    });
    let mut bench = Bench::new(config());
    assert_eq!(bench.load(1, server.source("/radio.pls")).rest(), all(0..1));
    bench.ended(1);
}

#[test]
fn playlists_that_lead_nowhere_are_named() {
    for (body, expected) in [
        ("#EXTM3U\nlist.m3u8\n", code::PLAYLIST_LOOP),
        (
            "#EXTM3U\n/a.m3u8\n/list.m3u8\n/b.m3u8?x=1\n",
            code::PLAYLIST_LOOP,
        ),
        ("#EXTM3U\n# nothing\n", code::PLAYLIST_INVALID),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlist.m3u8\n",
            code::PLAYLIST_LOOP,
        ),
        ("#EXTM3U\nfile:///etc/passwd\n", code::HTTP_INVALID_URL),
        (
            "#EXTM3U\n#EXT-X-I-FRAMES-ONLY\n#EXTINF:1,\na\n",
            code::PLAYLIST_INVALID,
        ),
    ] {
        let (code, message) = failure_of(config(), move |_, reply| text(reply, body));
        assert_eq!(code, expected, "{body}: {message}");
    }
    let (code, _) = failure_of(config(), |_, reply| {
        let line = "#EXTINF:1,\nhttp://example.org/segment\n";
        text(reply, &format!("#EXTM3U\n{}", line.repeat(300_000)));
    });
    assert_eq!(code, code::HTTP_TOO_LARGE);
}

#[test]
fn the_guard_holds_for_everything_that_a_playlist_names() {
    let inner = Server::start_at("127.0.0.2:0", |request, reply| {
        reply.whole(request, &segment(0, 10), "")
    });
    let port = inner.address.port();
    for body in [
        format!("#EXTM3U\nhttp://127.0.0.2:{port}/0.aac\n"),
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.2:{port}/0.aac\n#EXT-X-ENDLIST\n"
        ),
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"http://127.0.0.2:{port}/k\"\n#EXTINF:1,\n0.aac\n"
        ),
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"http://127.0.0.2:{port}/k\"\n#EXTINF:1,\n0.aac\n"
        ),
        format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://127.0.0.2:{port}/0.m3u8\n"),
    ] {
        let guarded = FeedConfig {
            allow_private_hosts: false,
            allowed_private_addresses: vec!["127.0.0.1".parse().expect("an address")],
            ..config()
        };
        let (code, _) = failure_of(guarded, move |_, reply| text(reply, &body));
        assert_eq!(code, code::HTTP_FORBIDDEN_ADDRESS);
    }
    assert!(inner.requests().is_empty());
}

/// Plays a list of real segments with the real decoder and gives the frames and their last position.
fn play_fixture(name: &str, start_ms: u64, end_ms: Option<u64>) -> (usize, u32, FeedEvent) {
    let server = Server::start(|request, reply| {
        let file = request.path.trim_start_matches('/').replace("..", "");
        let path = format!(
            "{}/../audio/tests/fixtures/hls/{file}",
            env!("CARGO_MANIFEST_DIR")
        );
        match std::fs::read(&path) {
            Ok(bytes) => reply.whole(request, &bytes, "\"f\""),
            Err(_) => missing(reply),
        }
    });
    let mut bench = Bench::with_opener(config(), Arc::new(AudioTracks), Arc::default());
    let mut listener = bench.load_between(1, server.source(name), start_ms, end_ms);
    let (mut frames, mut position) = (0, 0);
    loop {
        let (_, meta) = listener.next();
        if meta.last {
            break;
        }
        (frames, position) = (frames + 1, meta.position_ms);
    }
    let opened = bench.wait_for(1, |event| {
        matches!(event, FeedEvent::Opened { .. }).then(|| event.clone())
    });
    (frames, position, opened)
}

#[test]
fn real_segments_play_and_seek() {
    for (name, container) in [
        ("/ts.m3u8", "adts"),
        ("/encrypted.m3u8", "adts"),
        ("/fmp4.m3u8", "mp4"),
        ("/packed.m3u8", "adts"),
    ] {
        let (frames, position, opened) = play_fixture(name, 0, None);
        let FeedEvent::Opened { info, .. } = opened else {
            panic!("{opened:?}");
        };
        assert_eq!(
            (info.container, info.codec, info.seekable),
            (container, "aac", true),
            "{name}"
        );
        assert!(
            info.duration_ms
                .is_some_and(|ms| (1_950..2_150).contains(&ms)),
            "{name}: {info:?}"
        );
        assert!((100..=106).contains(&frames), "{name}: {frames} frames");
        assert!(
            (1_980..2_120).contains(&position),
            "{name}: ends at {position} ms"
        );
        let (frames, position, _) = play_fixture(name, 1_200, None);
        assert!(
            (38..=46).contains(&frames),
            "{name}: {frames} frames from the middle"
        );
        assert!(
            (1_980..2_120).contains(&position),
            "{name}: ends at {position} ms"
        );
        let (frames, position, _) = play_fixture(name, 300, Some(1_100));
        assert!(
            (40..=42).contains(&frames),
            "{name}: {frames} frames of a stretch"
        );
        assert!(
            (1_080..=1_120).contains(&position),
            "{name}: a stretch ends at {position} ms"
        );
    }
}
