//! ICY radio: titles between the sound, every so many bytes (the convention of SHOUTcast servers).
//!
//! A server that was asked with `Icy-MetaData: 1` names in `icy-metaint` how many bytes of sound lie
//! between two blocks. A block is one byte, its length divided by 16, and that much text such as
//! `StreamTitle='Artist - Title';StreamUrl='…';`, filled up with zeros.

/// Longer titles are cut off, in characters.
const MAX_TITLE: usize = 512;
/// Intervals beyond this are not believed; servers use 8,000 to 65,536.
const MAX_INTERVAL: u64 = 4 << 20;

/// Takes the blocks out of a body. Holds one block at most: 4,080 bytes.
#[derive(Debug)]
pub struct IcyFilter {
    interval: u64,
    state: State,
    block: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// So many bytes of sound until the next block.
    Sound(u64),
    Length,
    /// So many bytes of the block are still to come.
    Block(usize),
}

impl IcyFilter {
    /// A filter for the interval that a server names; `None` when it makes no sense.
    pub fn new(interval: u64) -> Option<IcyFilter> {
        (1..=MAX_INTERVAL).contains(&interval).then_some(IcyFilter {
            interval,
            state: State::Sound(interval),
            block: Vec::new(),
        })
    }

    /// Takes the next bytes of the body: hands on the sound in them, and what whole blocks say.
    pub fn push<'a>(&mut self, mut bytes: &'a [u8], mut take: impl FnMut(Piece<'a>)) {
        while !bytes.is_empty() {
            match self.state {
                State::Sound(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (sound, rest) = bytes.split_at(count);
                    take(Piece::Sound(sound));
                    bytes = rest;
                    self.state = match left - count as u64 {
                        0 => State::Length,
                        left => State::Sound(left),
                    };
                }
                State::Length => {
                    let len = usize::from(bytes[0]) * 16;
                    bytes = &bytes[1..];
                    self.block.clear();
                    self.state = match len {
                        0 => State::Sound(self.interval),
                        len => State::Block(len),
                    };
                }
                State::Block(left) => {
                    let (text, rest) = bytes.split_at(left.min(bytes.len()));
                    self.block.extend_from_slice(text);
                    bytes = rest;
                    self.state = State::Block(left - text.len());
                    if left == text.len() {
                        self.state = State::Sound(self.interval);
                        if let Some(title) = field(&self.block, b"streamtitle=") {
                            let url = field(&self.block, b"streamurl=");
                            take(Piece::Title { title, url });
                        }
                    }
                }
            }
        }
    }
}

/// What a body is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// Bytes of the sound.
    Sound(&'a [u8]),
    /// About what follows; the title is empty when the station takes it back.
    Title {
        /// At most 512 characters, without control characters.
        title: String,
        /// As long.
        url: Option<String>,
    },
}

/// The value of a field in a block; `None` when the block does not name it.
fn field(block: &[u8], key: &[u8]) -> Option<String> {
    let start = block
        .windows(key.len())
        .position(|bytes| bytes.eq_ignore_ascii_case(key))?;
    let value = &block[start + key.len()..];
    let end = value.iter().position(|&byte| byte == 0);
    let value = &value[..end.unwrap_or(value.len())];
    let value = match value.split_first() {
        Some((&quote @ (b'\'' | b'"'), quoted)) => {
            // Titles hold apostrophes: only one before a semicolon, or the last one, is the end.
            let closed = quoted.windows(2).position(|pair| pair == [quote, b';']);
            let last = || quoted.iter().rposition(|&byte| byte == quote);
            &quoted[..closed.or_else(last).unwrap_or(quoted.len())]
        }
        _ => value.split(|&byte| byte == b';').next()?,
    };
    Some(clean(&text(value)))
}

/// Text without control characters, trimmed and of bounded length.
pub(super) fn clean(text: &str) -> String {
    let printable = text.chars().filter(|symbol| !symbol.is_control());
    let cut: String = printable.take(MAX_TITLE).collect();
    cut.trim().to_owned()
}

/// Reads UTF-8, and what is none as Windows-1252, which most stations use that do not use UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| windows_1252(byte)).collect(),
    }
}

fn windows_1252(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž',
        '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes `body` in pieces of `step` bytes and returns the sound and the titles.
    fn filter(interval: u64, body: &[u8], step: usize) -> (Vec<u8>, Vec<String>) {
        let mut filter = IcyFilter::new(interval).expect("an interval");
        let (mut sound, mut titles) = (Vec::new(), Vec::new());
        for part in body.chunks(step) {
            filter.push(part, |piece| match piece {
                Piece::Sound(bytes) => sound.extend_from_slice(bytes),
                Piece::Title { title, .. } => titles.push(title),
            });
        }
        (sound, titles)
    }

    fn block(text: &[u8]) -> Vec<u8> {
        let count = text.len().div_ceil(16);
        let mut block = vec![count as u8];
        block.extend(text);
        block.resize(1 + 16 * count, 0);
        block
    }

    #[test]
    fn sound_and_titles_come_apart_however_the_body_is_cut() {
        let mut body = b"abcde".to_vec();
        body.extend(block(b"StreamTitle='One';StreamUrl='http://x/';"));
        body.extend(b"fghij\0klmno");
        body.extend(block(b"StreamTitle='It's; two';"));
        body.extend(b"pq");
        for step in [1, 2, 3, 7, 1000] {
            let (sound, titles) = filter(5, &body, step);
            assert_eq!(sound, b"abcdefghijklmnopq", "{step}");
            assert_eq!(titles, ["One", "It's; two"], "{step}");
        }
    }

    #[test]
    fn titles_are_read_with_care() {
        for (text, title) in [
            (&b"StreamTitle='';"[..], Some("")),
            (b"StreamTitle='a'b;", Some("a")),
            (b"streamtitle=\"x\";", Some("x")),
            (b"StreamTitle=plain;StreamUrl=''", Some("plain")),
            (b"StreamTitle='never closed", Some("never closed")),
            (
                "StreamTitle='Björk – Jóga';".as_bytes(),
                Some("Björk – Jóga"),
            ),
            (
                b"StreamTitle='Bj\xF6rk \x96 J\xF3ga';",
                Some("Björk – Jóga"),
            ),
            (b"StreamTitle=' a\x07\r\nb ';", Some("ab")),
            (b"StreamUrl='only';", None),
            (b"", None),
        ] {
            let found = field(text, b"streamtitle=");
            assert_eq!(found.as_deref(), title, "{text:?}");
        }
        let long = [b"StreamTitle='".to_vec(), vec![b'x'; 4000], b"';".to_vec()].concat();
        let found = field(&long, b"streamtitle=");
        assert_eq!(found.map(|title| title.len()), Some(MAX_TITLE));
    }

    #[test]
    fn impossible_intervals_are_refused() {
        assert!(IcyFilter::new(0).is_none() && IcyFilter::new(u64::MAX).is_none());
    }
}
