//! Any bytes as a radio stream with titles in it, in pieces of any size: sound and titles come apart in the same
//! way however the body is cut, and titles are short and hold no control characters.

#![no_main]

use cadenza_engine::feed::{IcyFilter, IcyPiece};
use libfuzzer_sys::fuzz_target;

fn apart(interval: u64, body: &[u8], step: usize) -> Option<(Vec<u8>, Vec<String>)> {
    let mut filter = IcyFilter::new(interval)?;
    let (mut sound, mut said) = (Vec::new(), Vec::new());
    for part in body.chunks(step) {
        filter.push(part, |piece| match piece {
            IcyPiece::Sound(bytes) => sound.extend_from_slice(bytes),
            IcyPiece::Title { title, url } => said.extend([Some(title), url].into_iter().flatten()),
        });
    }
    Some((sound, said))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[high, low, step], body)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let interval = u64::from(u16::from_be_bytes([high, low]));
    let in_pieces = apart(interval, body, usize::from(step) + 1);
    assert_eq!(in_pieces, apart(interval, body, body.len().max(1)));
    let Some((sound, said)) = in_pieces else {
        return;
    };
    assert!(sound.len() <= body.len());
    for text in said {
        assert!(text.chars().count() <= 512);
        assert!(!text.chars().any(char::is_control));
    }
});
