//! HE-AAC from the network: joined on air, and as a variant of HLS.

mod feed_support;

use std::sync::Arc;

use cadenza_engine::feed::{AudioTracks, FeedEvent};

use feed_support::server::Server;
use feed_support::{Bench, config};

fn song() -> Vec<u8> {
    let path = format!(
        "{}/../audio/tests/fixtures/he-stereo-44100.aac",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).expect("a fixture")
}

fn shape(event: &FeedEvent) -> Option<(&'static str, u32, Option<u64>, bool)> {
    match event {
        FeedEvent::Opened { info, .. } => Some((
            info.codec,
            info.sample_rate,
            info.duration_ms,
            info.seekable,
        )),
        _ => None,
    }
}

#[test]
fn a_station_is_joined_wherever_it_is() {
    let song = song();
    let server = Server::start(move |_, reply| {
        reply.raw("HTTP/1.0 200 OK\r\nicy-name: High\r\nContent-Type: audio/aacp\r\n\r\n");
        // In the middle of a frame, and before the next one that says how the upper half is built.
        reply.raw(&song[1_000..]);
        for _ in 0..4 {
            reply.raw(&song);
        }
        reply.stall();
    });
    let mut bench = Bench::with_opener(config(), Arc::new(AudioTracks), Arc::default());
    let mut listener = bench.load(1, server.source("/high.aac"));
    for _ in 0..400 {
        assert!(!listener.next().1.last);
    }
    assert_eq!(bench.wait_for(1, shape), ("aac", 44_100, None, false));
}

#[test]
fn the_sound_alone_is_chosen_before_pictures() {
    let song = song();
    let server = Server::start(move |request, reply| {
        let body = match request.path.as_str() {
            "/" => b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e,mp4a.40.2\"\npictures.m3u8\n\
                #EXT-X-STREAM-INF:BANDWIDTH=48000,CODECS=\"mp4a.40.5\"\nsound.m3u8\n"
                .to_vec(),
            "/sound.m3u8" => b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.136,\na.aac\n#EXTINF:2.136,\nb.aac\n#EXT-X-ENDLIST\n"
                .to_vec(),
            _ => song.clone(),
        };
        reply.whole(request, &body, "");
    });
    let mut bench = Bench::with_opener(config(), Arc::new(AudioTracks), Arc::default());
    let mut listener = bench.load(1, server.source("/"));
    let mut frames = 0;
    while !listener.next().1.last {
        frames += 1;
    }
    assert!((210..=218).contains(&frames), "{frames}");
    let (codec, rate, length, seekable) = bench.wait_for(1, shape);
    assert_eq!(
        (codec, rate, length, seekable),
        ("aac", 44_100, Some(4_272), true)
    );
    assert!(
        !server
            .requests()
            .iter()
            .any(|request| request.path == "/pictures.m3u8")
    );
}
