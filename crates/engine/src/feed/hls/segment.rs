//! What a segment holds: decrypted, told apart by its first bytes, and reduced to its sound.
//!
//! Segments come in pieces of any size. What is held is a block of a cipher, a tag's header, or a
//! packet of a transport stream.

use aws_lc_rs::cipher::{AES_128, DecryptionContext, StreamingDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use cadenza_audio::mpeg_ts::{TsAudio, TsCodec};

/// Bytes that tell formats apart.
const HEAD: usize = 12;
const BLOCK: usize = 16;
/// The most bytes that are decrypted at once.
const STEP: usize = 4096;

/// What sound is in a segment; bytes of the same format go together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// AAC or MPEG audio, frame after frame.
    Frames(TsCodec),
    /// Fragments of MP4.
    Fragments,
    /// MP4 from its beginning.
    Mp4,
}

/// Why a segment cannot be played.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SegmentError {
    /// The key does not fit.
    Decryption,
    /// The bytes are none of the known formats.
    Unknown,
    /// The sound in it cannot be played; its name.
    Unplayable(&'static str),
}

/// Reads one segment after the other of an HLS source.
#[derive(Debug, Default)]
pub struct SegmentReader {
    ts: TsAudio,
    cipher: Option<Cipher>,
    encrypted: bool,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Too few bytes to tell.
    #[default]
    Unknown,
    Head(Vec<u8>),
    /// So many bytes of an ID3 tag are passed over.
    Tag(u64),
    Ts,
    Plain(Format),
}

/// Decrypts a whole resource.
pub fn decrypt(key: &[u8; 16], iv: [u8; 16], bytes: &[u8]) -> Result<Vec<u8>, SegmentError> {
    let mut clear = Vec::with_capacity(bytes.len());
    let mut cipher = Cipher::new(key, iv)?;
    cipher.update(bytes, |bytes| {
        clear.extend_from_slice(bytes);
        Ok(())
    })?;
    clear.extend(cipher.finish()?);
    Ok(clear)
}

impl SegmentReader {
    /// A reader at the beginning, or behind a break, of a source.
    pub fn new() -> SegmentReader {
        SegmentReader::default()
    }

    /// Begins a segment, encrypted with this key and vector or in clear.
    pub fn begin(&mut self, key: Option<(&[u8; 16], [u8; 16])>) -> Result<(), SegmentError> {
        self.state = State::Unknown;
        self.encrypted = key.is_some();
        self.cipher = match key {
            Some((key, iv)) => Some(Cipher::new(key, iv)?),
            None => None,
        };
        Ok(())
    }

    /// Takes the next bytes of the segment and hands on the sound in them.
    pub fn push(
        &mut self,
        bytes: &[u8],
        mut sound: impl FnMut(Format, &[u8]),
    ) -> Result<(), SegmentError> {
        let Some(mut cipher) = self.cipher.take() else {
            return self.take(bytes, &mut sound);
        };
        let result = cipher.update(bytes, |clear| self.take(clear, &mut sound));
        self.cipher = Some(cipher);
        result
    }

    /// Ends the segment.
    pub fn finish(&mut self, mut sound: impl FnMut(Format, &[u8])) -> Result<(), SegmentError> {
        if let Some(cipher) = self.cipher.take() {
            let rest = cipher.finish()?;
            self.take(&rest, &mut sound)?;
        }
        match std::mem::take(&mut self.state) {
            State::Head(head) if !head.is_empty() => Err(self.unknown()),
            State::Ts => self
                .ts
                .refused()
                .map_or(Ok(()), |name| Err(SegmentError::Unplayable(name))),
            _ => Ok(()),
        }
    }

    fn take(
        &mut self,
        mut bytes: &[u8],
        sound: &mut impl FnMut(Format, &[u8]),
    ) -> Result<(), SegmentError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Unknown => self.state = State::Head(Vec::with_capacity(HEAD)),
                State::Head(head) => {
                    let (part, rest) = bytes.split_at((HEAD - head.len()).min(bytes.len()));
                    head.extend_from_slice(part);
                    bytes = rest;
                    if head.len() == HEAD {
                        let head = std::mem::take(head);
                        self.recognise(&head, sound)?;
                    }
                }
                State::Tag(left) => {
                    let count = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    bytes = &bytes[count..];
                    *left -= count as u64;
                    if *left == 0 {
                        self.state = State::Unknown;
                    }
                }
                State::Ts => {
                    self.push_ts(bytes, sound);
                    return Ok(());
                }
                State::Plain(format) => {
                    sound(*format, bytes);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn recognise(
        &mut self,
        head: &[u8],
        sound: &mut impl FnMut(Format, &[u8]),
    ) -> Result<(), SegmentError> {
        self.state = match head {
            [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] => {
                let sizes = [a, b, c, d].map(|byte| u64::from(byte & 0x7F));
                let size = sizes.into_iter().fold(0, |size, byte| size << 7 | byte);
                let footer = if flags & 0x10 != 0 { 10 } else { 0 };
                // What of the tag is in the head already is gone; it is never less than a header.
                let (behind, whole) = (HEAD as u64, 10 + size + footer);
                if whole < behind {
                    self.state = State::Unknown;
                    return self.take(&head[whole as usize..], sound);
                }
                match whole - behind {
                    0 => State::Unknown,
                    left => State::Tag(left),
                }
            }
            [0x47, ..] => State::Ts,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => State::Plain(Format::Mp4),
            [_, _, _, _, a, b, c, d, ..] if is_fragment(&[*a, *b, *c, *d]) => {
                State::Plain(Format::Fragments)
            }
            [0xFF, second, ..] if second & 0xF6 == 0xF0 => {
                State::Plain(Format::Frames(TsCodec::Aac))
            }
            [0xFF, second, ..] if second & 0xE0 == 0xE0 => {
                State::Plain(Format::Frames(TsCodec::Mpeg))
            }
            [0x0B, 0x77, ..] => return Err(SegmentError::Unplayable("AC-3")),
            _ => return Err(self.unknown()),
        };
        match self.state {
            State::Ts => self.push_ts(head, sound),
            State::Plain(format) => sound(format, head),
            _ => {}
        }
        Ok(())
    }

    fn push_ts(&mut self, bytes: &[u8], sound: &mut impl FnMut(Format, &[u8])) {
        let frames = |codec, bytes: &[u8]| sound(Format::Frames(codec), bytes);
        self.ts.push(bytes, frames);
    }

    fn unknown(&self) -> SegmentError {
        if self.encrypted {
            SegmentError::Decryption
        } else {
            SegmentError::Unknown
        }
    }
}

/// Boxes that a fragment of MP4 begins with.
fn is_fragment(name: &[u8; 4]) -> bool {
    matches!(
        name,
        b"moof" | b"styp" | b"sidx" | b"emsg" | b"prft" | b"free" | b"skip" | b"mdat" | b"uuid"
    )
}

/// AES-128 in CBC mode. The last block is padding and stays behind until the end.
struct Cipher(StreamingDecryptingKey);

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    fn new(key: &[u8; 16], iv: [u8; 16]) -> Result<Cipher, SegmentError> {
        let made = UnboundCipherKey::new(&AES_128, key).and_then(|key| {
            let context = DecryptionContext::Iv128(FixedLength::from(iv));
            StreamingDecryptingKey::cbc_pkcs7(key, context)
        });
        made.map(Cipher).map_err(|_| SegmentError::Decryption)
    }

    fn update(
        &mut self,
        bytes: &[u8],
        mut clear: impl FnMut(&[u8]) -> Result<(), SegmentError>,
    ) -> Result<(), SegmentError> {
        let mut out = [0; STEP + BLOCK];
        for part in bytes.chunks(STEP) {
            let update = self
                .0
                .update(part, &mut out)
                .map_err(|_| SegmentError::Decryption)?;
            clear(update.written())?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, SegmentError> {
        let mut out = [0; BLOCK];
        let update = self
            .0
            .finish(&mut out)
            .map_err(|_| SegmentError::Decryption)?;
        Ok(update.written().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::cipher::{EncryptionContext, PaddedBlockEncryptingKey};

    use super::*;

    /// Pushes a segment in pieces of `step` bytes; the formats and the sound.
    fn read(
        segment: &[u8],
        key: Option<(&[u8; 16], [u8; 16])>,
        step: usize,
    ) -> Result<(Vec<Format>, Vec<u8>), SegmentError> {
        let mut reader = SegmentReader::new();
        let (mut formats, mut out) = (Vec::new(), Vec::new());
        let mut sound = |format, bytes: &[u8]| {
            out.extend_from_slice(bytes);
            formats.push(format);
        };
        reader.begin(key)?;
        for part in segment.chunks(step) {
            reader.push(part, &mut sound)?;
        }
        reader.finish(&mut sound)?;
        formats.dedup();
        Ok((formats, out))
    }

    fn check(segment: &[u8], format: Format, sound: &[u8]) {
        for step in [1, 5, 4096] {
            let expected = (vec![format], sound.to_vec());
            assert_eq!(read(segment, None, step), Ok(expected), "{step}");
        }
    }

    #[test]
    fn segments_are_told_apart_and_tags_are_passed_over() {
        let aac = Format::Frames(TsCodec::Aac);
        let frames = b"\xFF\xF1\x50\x80 sound that goes on";
        check(frames, aac, frames);
        let tag = [&b"ID3\x04\0\0\0\0\0\x20"[..], &[7; 32]].concat();
        check(&[&tag[..], frames].concat(), aac, frames);
        check(&[&tag[..], &tag[..], frames].concat(), aac, frames);
        check(&[b"ID3\x04\0\0\0\0\0\0", &frames[..]].concat(), aac, frames);
        let fragment = b"\0\0\0\x18styp and what follows";
        check(fragment, Format::Fragments, fragment);
        let mpeg = b"\xFF\xFB\x90\x64 and more of it";
        check(mpeg, Format::Frames(TsCodec::Mpeg), mpeg);
    }

    #[test]
    fn what_is_no_sound_is_named() {
        assert_eq!(
            read(b"<html>not found</html>", None, 9),
            Err(SegmentError::Unknown)
        );
        assert_eq!(read(b"short", None, 9), Err(SegmentError::Unknown));
        assert_eq!(
            read(b"\x0B\x77 and so forth", None, 99),
            Err(SegmentError::Unplayable("AC-3"))
        );
        assert_eq!(read(b"", None, 9), Ok((Vec::new(), Vec::new())));
    }

    fn encrypt(clear: &[u8], key: &[u8; 16], iv: [u8; 16]) -> Vec<u8> {
        let cipher = UnboundCipherKey::new(&AES_128, key).expect("a key");
        let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).expect("a mode");
        let mut bytes = clear.to_vec();
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        cipher
            .less_safe_encrypt(&mut bytes, context)
            .expect("encrypts");
        bytes
    }

    #[test]
    fn encrypted_segments_are_read_and_wrong_keys_noticed() {
        let clear = [
            b"\xFF\xF1\x50\x80".to_vec(),
            (0..10_000).map(|n| n as u8).collect(),
        ]
        .concat();
        let segment = encrypt(&clear, &[1; 16], [2; 16]);
        for step in [1, 15, 16, 17, 5_000, 100_000] {
            let read = read(&segment, Some((&[1; 16], [2; 16])), step);
            assert_eq!(read.map(|(_, sound)| sound), Ok(clear.clone()), "{step}");
        }
        let wrong = read(&segment, Some((&[9; 16], [2; 16])), 100);
        assert_eq!(wrong, Err(SegmentError::Decryption));
        let cut = read(
            &segment[..segment.len() - 3],
            Some((&[1; 16], [2; 16])),
            100,
        );
        assert_eq!(cut.map(|_| ()), Err(SegmentError::Decryption));
    }
}
