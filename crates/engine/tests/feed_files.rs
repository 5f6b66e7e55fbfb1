//! File sources: what may be opened, and real tracks from a file or a plain server to the queue.

mod feed_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cadenza_engine::feed::{AudioTracks, FeedEvent, SourceSpec, code};

use feed_support::server::Server;
use feed_support::{Bench, CHUNK, config, content};

/// A folder of its own for one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("cadenza-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> SourceSpec {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("writes");
        SourceSpec::File(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn plays_a_file_and_stays_for_a_seek() {
    let folder = Folder::new("plays");
    let data = content(500 * CHUNK + 17);
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, folder.file("a.chunks", &data));
    assert_eq!(listener.rest(), data);
    bench.ended(1);
    bench.host.seek(1, 1, 499 * 20, 8);
    let (frame, meta) = listener.next();
    assert_eq!(
        (frame.as_slice(), meta.epoch),
        (&data[499 * CHUNK..500 * CHUNK], 8)
    );
    bench.ended(1);
    bench.host.seek(1, 2, 0, 9);
    assert_eq!(
        listener.rest(),
        data[500 * CHUNK..],
        "another track's seek has no effect"
    );
}

#[test]
fn of_many_seeks_the_last_one_counts() {
    let folder = Folder::new("seeks");
    let data = content(500 * CHUNK);
    let mut bench = Bench::new(config());
    let mut listener = bench.load(1, folder.file("a.chunks", &data));
    for epoch in 8..200 {
        bench.host.seek(1, 1, u64::from(epoch) * 20, epoch);
    }
    bench.host.seek(1, 1, 300 * 20, 200);
    let (frame, meta) = listener.first_of(200);
    assert_eq!(
        (frame.as_slice(), meta.position_ms),
        (&data[30_000..30_100], 301 * 20)
    );
    listener.rest();
    bench.ended(1);
}

#[test]
fn only_regular_files_are_opened() {
    let folder = Folder::new("kinds");
    let pipe = folder.0.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let file = folder.file("file", b"x");
    let SourceSpec::File(file) = file else {
        unreachable!("made as a file");
    };
    let mut bench = Bench::new(config());
    for (feed, path, expected) in [
        (1, folder.0.join("nothing"), code::SOURCE_NOT_FOUND),
        (2, file.join("below"), code::SOURCE_NOT_FOUND),
        (3, folder.0.clone(), code::SOURCE_NOT_A_FILE),
        (4, pipe, code::SOURCE_NOT_A_FILE),
        (5, Path::new("/dev/null").into(), code::SOURCE_NOT_A_FILE),
        (6, PathBuf::new(), code::SOURCE_NOT_FOUND),
        (7, PathBuf::from("a\0b"), code::READ_FAILED),
    ] {
        let _listener = bench.load(feed, SourceSpec::File(path.clone()));
        assert_eq!(bench.failure(feed).0, expected, "{path:?}");
    }
}

#[test]
fn plays_a_real_track_through_the_audio_crate() {
    let folder = Folder::new("wav");
    let mut bench = Bench::with_opener(config(), Arc::new(AudioTracks), Arc::default());
    let mut listener = bench.load(1, folder.file("a.wav", &wav(48_000)));
    let info = bench.wait_for(1, |event| match event {
        FeedEvent::Opened { info, .. } => Some(info.clone()),
        _ => None,
    });
    assert_eq!(
        (info.container, info.sample_rate, info.channels),
        ("wav", 48_000, 2)
    );
    let mut positions = Vec::new();
    loop {
        let (frame, meta) = listener.next();
        if meta.last {
            break;
        }
        assert!(!frame.is_empty());
        positions.push(meta.position_ms);
    }
    assert!((50..=52).contains(&positions.len()), "{positions:?}");
    assert!(positions.is_sorted() && positions[0] <= 20, "{positions:?}");
    assert!(
        (980..=1_000).contains(&positions[positions.len() - 1]),
        "{positions:?}"
    );
    bench.ended(1);

    let _listener = bench.load(2, folder.file("b.wav", b"this is no sound at all"));
    assert_eq!(bench.failure(2).0, "unsupported_format");
    let _listener = bench.load(3, folder.file("c.wav", b""));
    assert_eq!(bench.failure(3).0, "empty_source");
}

#[test]
fn a_file_with_its_index_behind_plays_and_seeks_without_ranges() {
    let path = format!(
        "{}/../audio/tests/fixtures/stereo-44100.m4a",
        env!("CARGO_MANIFEST_DIR")
    );
    let file = std::fs::read(path).expect("a fixture");
    let server = Server::start(move |_, reply| {
        let len = file.len();
        reply.raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n"));
        reply.raw(&file);
    });
    let mut bench = Bench::with_opener(config(), Arc::new(AudioTracks), Arc::default());
    let mut listener = bench.load(1, server.source("/song.m4a"));
    let info = bench.wait_for(1, |event| match event {
        FeedEvent::Opened { info, .. } => Some(info.clone()),
        _ => None,
    });
    assert_eq!((info.codec, info.seekable), ("aac", true));
    let mut frames = 0;
    while !listener.next().1.last {
        frames += 1;
    }
    assert!((100..=102).contains(&frames), "{frames}");
    assert_eq!(server.requests().len(), 1);

    let endless = Server::start(|_, reply| {
        reply.raw(
            "HTTP/1.1 200 OK\r\n\r\n\0\0\0\x10ftypM4A \0\0\0\0\0\0\0\x01mdat\0\0\0\x10\0\0\0\0",
        );
        for _ in 0..33 {
            reply.raw(vec![0; 1 << 20]);
        }
    });
    let _listener = bench.load(2, endless.source("/endless.m4a"));
    let (code, message) = bench.failure(2);
    assert_eq!(code, "seek_failed");
    assert!(message.contains("32 MiB"), "{message}");
}

/// A stereo file of 16-bit samples at 48 kHz: a saw tooth.
fn wav(samples: u32) -> Vec<u8> {
    let data_len = samples * 4;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + data_len).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    for (value, size) in [
        (16, 4),
        (1, 2),
        (2, 2),
        (48_000, 4),
        (192_000, 4),
        (4, 2),
        (16, 2),
    ] {
        wav.extend(&u32::to_le_bytes(value)[..size]);
    }
    wav.extend(b"data");
    wav.extend(data_len.to_le_bytes());
    for sample in 0..samples {
        let value = ((sample % 109) as i16 - 54) * 200;
        wav.extend(value.to_le_bytes());
        wav.extend(value.to_le_bytes());
    }
    wav
}
