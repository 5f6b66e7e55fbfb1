//! What goes wrong with one feed leaves the others alone, and everything ends when it should.

mod feed_support;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use cadenza_audio::EncoderSettings;
use cadenza_audio::filters::FilterSettings;
use cadenza_engine::feed::{FeedConfig, FeedEvent, FeedHost, LoadRequest, SourceSpec, code};
use cadenza_engine::frame_queue::frame_queue;

use feed_support::server::Server;
use feed_support::{Bench, CHUNK, ChunkOpener, config, content, feed_of, until};

const ETAG: &str = "\"one\"";

/// A file whose extension tells the decoder how to fail, removed at the end.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, bytes: &[u8]) -> TestFile {
        let name = format!("cadenza-isolation-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).expect("writes");
        TestFile(path)
    }

    fn source(&self) -> SourceSpec {
        SourceSpec::File(self.0.clone())
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Sends enough to make the decoder run, then nothing until released.
fn stalling_server(data: Vec<u8>) -> Server {
    Server::start(move |request, reply| {
        reply.part(request, &data, ETAG, 20_000);
        reply.stall();
        let rest = 20_000.min(data.len());
        reply.raw(&data[rest..]);
    })
}

#[test]
fn a_read_that_stalls_in_a_frame_gives_its_worker_away() {
    let data = content(1_000 * CHUNK);
    let file = TestFile::new("beside.chunks", &data);
    let server = stalling_server(data.clone());
    let mut bench = Bench::new(FeedConfig {
        stall_notice: std::time::Duration::from_millis(1),
        ..config()
    });
    // "whole" makes all of the body one frame, so the decoder waits in the middle of it.
    let mut stalled = bench.load(1, server.source("/a.whole"));
    bench.stalled(1);
    let mut beside = bench.load(2, file.source());
    assert_eq!(beside.rest(), data);
    bench.ended(2);
    assert!(stalled.0.is_empty());
    server.release();
    assert_eq!(stalled.rest(), data[..CHUNK]);
    bench.ended(1);
}

#[test]
fn many_stalled_sources_leave_the_one_worker_to_a_file() {
    let data = content(1_000 * CHUNK);
    let file = TestFile::new("crowd.chunks", &data);
    let server = stalling_server(data.clone());
    let mut bench = Bench::new(config());
    let mut stalled: Vec<_> = (10..50)
        .map(|feed| {
            let path = ["/a.whole", "/a.chunks"][feed as usize % 2];
            (feed, bench.load(feed, server.source(path)))
        })
        .collect();
    until("all asked", || server.requests().len() == stalled.len());
    let mut beside = bench.load(1, file.source());
    assert_eq!(beside.rest(), data);
    server.release();
    for (feed, listener) in &mut stalled {
        let expected = [CHUNK, data.len()][*feed as usize % 2];
        assert_eq!(listener.rest(), data[..expected], "feed {feed}");
        bench.ended(*feed);
    }
}

#[test]
fn beyond_the_cap_a_waiting_read_fails_its_own_feed() {
    let data = content(1_000 * CHUNK);
    let file = TestFile::new("cap.chunks", &data);
    let server = stalling_server(data.clone());
    let mut bench = Bench::new(FeedConfig {
        max_waiting_reads: 0,
        ..config()
    });
    let _stalled = bench.load(1, server.source("/a.whole"));
    assert_eq!(bench.failure(1).0, code::HTTP_STALLED);
    assert_eq!(bench.load(2, file.source()).rest(), data);
}

#[test]
fn a_panic_or_a_lie_of_a_decoder_costs_its_own_feed() {
    let data = content(1_000 * CHUNK);
    let file = TestFile::new("good.chunks", &data);
    let mut bench = Bench::new(config());
    let mut good = bench.load(1, file.source());
    good.next();
    for (fault, expected) in [
        ("panic_open", code::DECODER_PANICKED),
        ("panic_frame", code::DECODER_PANICKED),
        ("lie_long", "malformed_media"),
        ("lie_empty", "malformed_media"),
    ] {
        let bad = TestFile::new(&format!("bad.{fault}"), &data);
        let _listener = bench.load(2, bad.source());
        assert_eq!(bench.failure(2).0, expected, "{fault}");
    }
    let bad = TestFile::new("bad.panic_seek", &data);
    let mut listener = bench.load(2, bad.source());
    listener.next();
    bench.host.seek(2, 1, 0, 8);
    assert_eq!(bench.failure(2).0, code::DECODER_PANICKED);

    let bad = TestFile::new("bad.panic_drop", &data);
    let mut listener = bench.load(2, bad.source());
    listener.next();
    bench.host.cancel(2, 1);
    assert_eq!(good.rest(), data[CHUNK..]);
    bench.ended(1);
    until("decoders are dropped", || {
        bench.decoders_alive.load(Ordering::SeqCst) == 1
    });
}

#[test]
fn a_new_load_replaces_and_a_cancel_ends_silently() {
    let data = content(1_000 * CHUNK);
    let file = TestFile::new("replace.chunks", &data);
    let server = stalling_server(content(1_000_000));
    let mut bench = Bench::new(config());
    let stalled = bench.load_track(1, 1, server.source("/a.whole"));
    until("it asked", || server.requests().len() == 1);
    let mut new = bench.load_track(1, 2, file.source());
    assert_eq!(new.rest(), data);
    bench.ended(1);
    until("the queue is abandoned", || stalled.0.is_abandoned());

    bench.host.cancel(1, 1);
    bench.host.seek(1, 2, 999 * 20, 8);
    assert_eq!(
        new.next().0,
        data[999 * CHUNK..],
        "a cancel of the old track has no effect"
    );
    bench.host.cancel(1, 2);
    until("the queue is abandoned", || new.0.is_abandoned());
    let failed = |event: &FeedEvent| matches!(event, FeedEvent::Failed { .. });
    assert!(!bench.others().iter().any(failed));
}

#[test]
fn a_feed_nobody_listens_to_goes_away() {
    let data = content(1_000 * CHUNK);
    let file = TestFile::new("abandoned.chunks", &data);
    let bench = Bench::new(config());
    let mut listener = bench.load(1, file.source());
    listener.next();
    drop(listener);
    until("the decoder is dropped", || {
        bench.decoders_alive.load(Ordering::SeqCst) == 0
    });
}

#[test]
fn one_worker_serves_hundreds_of_feeds() {
    let data = content(100 * CHUNK);
    let file = TestFile::new("hundreds.chunks", &data);
    let mut bench = Bench::new(config());
    let mut listeners: Vec<_> = (0..300)
        .map(|feed| (feed, bench.load(feed, file.source())))
        .collect();
    for (feed, listener) in &mut listeners {
        assert_eq!(listener.rest(), data, "feed {feed}");
        bench.ended(*feed);
    }
    let others = bench.others();
    assert!(
        others
            .iter()
            .all(|event| matches!(event, FeedEvent::Opened { .. })),
        "{others:?}"
    );
    let opened: std::collections::HashSet<u32> = others.iter().map(feed_of).collect();
    assert_eq!((opened.len(), others.len()), (300, 300));
}

#[test]
fn shutdown_ends_feeds_in_every_state_though_nobody_takes_events() {
    let data = content(1_000 * CHUNK);
    let file = TestFile::new("shutdown.chunks", &data);
    let server = stalling_server(data);
    let alive = Arc::default();
    let opener = Arc::new(ChunkOpener(Arc::clone(&alive)));
    // No room for events at all: every report waits.
    let (sender, events) = crossbeam_channel::bounded(0);
    let host = FeedHost::start_with(config(), sender, opener).expect("threads start");
    let consumers = Mutex::new(Vec::new());
    let load = |feed: u32, source: SourceSpec| {
        let (producer, consumer) = frame_queue(8 * 1024);
        consumers.lock().expect("one thread").push(consumer);
        let request = LoadRequest {
            track: 1,
            source,
            start_ms: 0,
            end_ms: None,
            encoder: EncoderSettings::default(),
            filters: FilterSettings::default(),
        };
        host.load(feed, request, producer, 0);
    };
    load(1, server.source("/a.whole"));
    load(2, server.source("/a.chunks"));
    until("both asked", || server.requests().len() == 2);
    load(3, file.source());
    until("one is open", || alive.load(Ordering::SeqCst) > 0);
    host.shutdown();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let mut consumers = consumers.lock().expect("one thread");
    assert!(consumers.iter_mut().all(|consumer| consumer.is_abandoned()));
    assert!(events.recv().is_err(), "nobody is left to send");
}
