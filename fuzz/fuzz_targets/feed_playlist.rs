//! Any bytes as an M3U or PLS playlist: no panic, and never more or longer addresses than are looked at.

#![no_main]

use cadenza_engine::feed::playlist::{MAX_ENTRIES, entries, is_playlist, kind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = kind(bytes);
    for (mime, extension) in [
        (None, None),
        (Some("audio/x-mpegurl; charset=utf-8"), None),
        (None, Some("pls")),
    ] {
        let _ = is_playlist(bytes, mime, extension);
    }
    let named = entries(bytes);
    assert!(named.len() <= MAX_ENTRIES);
    // A byte that is no UTF-8 becomes a sign of three bytes.
    assert!(named.iter().map(String::len).sum::<usize>() <= 3 * bytes.len());
    assert!(named.iter().all(|address| !address.is_empty() && !address.contains(['\r', '\n'])));
});
