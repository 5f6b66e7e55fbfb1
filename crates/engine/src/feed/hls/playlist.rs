//! HLS playlists (RFC 8216): a list of segments, or a choice of such lists.
//!
//! Own, because the parser has to be bounded by more than the text's length, and because the library
//! for it refuses `METHOD=NONE` without an IV, which ends an encrypted stretch in every other playlist.

use std::sync::Arc;

/// Segments looked at in one playlist: over a day of sound.
pub const MAX_SEGMENTS: usize = 20_000;
/// Variants and renditions looked at.
const MAX_CHOICES: usize = 256;
/// Longer lines are left out, in bytes.
const MAX_LINE: usize = 8 * 1024;
/// The highest number of a first segment; those of later ones stay numbers.
const MAX_SEQUENCE: u64 = 1 << 62;
/// The longest segment that is believed, in seconds.
const MAX_SECONDS: f64 = 3_600.0;

/// What a playlist is.
#[derive(Clone, Debug, PartialEq)]
pub enum Hls {
    /// A choice of lists.
    Master(Master),
    /// A list of segments.
    Media(Media),
}

/// A choice of variants of the same content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Master {
    /// What `EXT-X-STREAM-INF` names.
    pub variants: Vec<Variant>,
    /// Sound of its own that variants refer to.
    pub renditions: Vec<Rendition>,
}

/// One way to get the content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    /// Of its list of segments, relative to the playlist.
    pub uri: String,
    /// In bits per second, 0 when not said.
    pub bandwidth: u64,
    /// Such as `mp4a.40.2,avc1.4d401e`.
    pub codecs: Option<String>,
    /// The group of renditions that are its sound.
    pub audio: Option<String>,
    /// Whether it says how large its pictures are.
    pub pictures: bool,
}

/// Sound of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendition {
    /// The group's name.
    pub group: String,
    /// Of its list of segments; `None` when it lies in the variant itself.
    pub uri: Option<String>,
    /// Whether it is played when nobody chooses.
    pub default: bool,
}

/// A list of segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Media {
    /// About the longest duration of a segment, in microseconds.
    pub target_us: u64,
    /// The number of the first segment.
    pub sequence: u64,
    /// In order.
    pub segments: Vec<Segment>,
    /// Whether nothing will be added.
    pub ended: bool,
}

/// A stretch of the sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Relative to the playlist.
    pub uri: String,
    /// In microseconds.
    pub duration_us: u64,
    /// The part of the resource that it is; all of it when `None`.
    pub range: Option<ByteRange>,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// What a decoder needs before it.
    pub map: Option<Arc<Map>>,
    /// Whether encoding, time or format begin anew here.
    pub discontinuity: bool,
    /// Whether it is missing and should not be asked for.
    pub gap: bool,
}

/// A part of a resource.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ByteRange {
    /// Its first byte.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// How a segment is encrypted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Encryption {
    /// Not at all.
    #[default]
    None,
    /// AES-128 in CBC mode with PKCS#7 padding.
    Aes128(Arc<Key>),
    /// In a way that cannot be undone here; its name.
    Other(Arc<str>),
}

/// Where a key is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Key {
    /// Relative to the playlist.
    pub uri: String,
    /// The first block's vector; `None` is the segment's number.
    pub iv: Option<[u8; 16]>,
}

/// Where the beginning is that every segment needs: the `moov` box of fragmented MP4.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// Relative to the playlist.
    pub uri: String,
    /// The part of the resource that it is.
    pub range: Option<ByteRange>,
    /// How it is encrypted.
    pub encryption: Encryption,
}

impl Media {
    /// The length of all segments together, in microseconds.
    pub fn total_us(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| segment.duration_us)
            .sum()
    }

    /// The segment of this number, if it is listed.
    pub fn segment(&self, number: u64) -> Option<&Segment> {
        let index = number.checked_sub(self.sequence)?;
        self.segments.get(usize::try_from(index).ok()?)
    }

    /// The number behind the last segment.
    pub fn end(&self) -> u64 {
        self.sequence.saturating_add(self.segments.len() as u64)
    }
}

/// Reads a playlist; an error is one sentence for people.
pub fn parse(text: &[u8]) -> Result<Hls, &'static str> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start_matches('\u{FEFF}').trim_start();
    let mut reader = Reader::default();
    for line in text.split(['\n', '\r']).map(str::trim) {
        if !line.is_empty() && line.len() <= MAX_LINE {
            reader.line(line)?;
        }
    }
    if !reader.master.variants.is_empty() {
        return Ok(Hls::Master(reader.master));
    }
    if reader.media.segments.is_empty() && !reader.has_target {
        return Err("it lists neither segments nor variants");
    }
    let longest = reader
        .media
        .segments
        .iter()
        .map(|segment| segment.duration_us)
        .max();
    if reader.media.target_us == 0 {
        reader.media.target_us = longest.unwrap_or(0);
    }
    Ok(Hls::Media(reader.media))
}

/// What the lines so far say.
#[derive(Default)]
struct Reader {
    media: Media,
    master: Master,
    has_target: bool,
    /// The variant whose address the next line is.
    variant: Option<Variant>,
    /// What was said about the segment whose address comes.
    next: Segment,
    encryption: Encryption,
    /// Whether a key that can be used was named since the last segment.
    key_named: bool,
    map: Option<Arc<Map>>,
    /// A range without an offset begins behind this one.
    last_range: Option<(String, u64)>,
    /// The length of the coming segment's range, and its offset unless it follows the last one.
    range: Option<(u64, Option<u64>)>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let Some(tag) = line.strip_prefix("#EXT") else {
            if !line.starts_with('#') {
                self.address(line)?;
            }
            return Ok(());
        };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name {
            "INF" => {
                let seconds = value.split(',').next().unwrap_or_default();
                self.next.duration_us = microseconds(seconds);
            }
            "-X-TARGETDURATION" => {
                self.media.target_us = microseconds(value);
                self.has_target = true;
            }
            "-X-MEDIA-SEQUENCE" => {
                let number: u64 = value.trim().parse().unwrap_or(0);
                self.media.sequence = number.min(MAX_SEQUENCE);
            }
            "-X-ENDLIST" => self.media.ended = true,
            "-X-DISCONTINUITY" => self.next.discontinuity = true,
            "-X-GAP" => self.next.gap = true,
            "-X-BYTERANGE" => self.range = range(value),
            "-X-KEY" => self.key(value),
            "-X-MAP" => self.read_map(value),
            "-X-I-FRAMES-ONLY" => return Err("it lists pictures only"),
            "-X-STREAM-INF" => self.variant = Some(variant(value)),
            "-X-MEDIA" => self.rendition(value),
            _ => {}
        }
        Ok(())
    }

    fn address(&mut self, line: &str) -> Result<(), &'static str> {
        if let Some(mut variant) = self.variant.take() {
            variant.uri = line.to_owned();
            if self.master.variants.len() < MAX_CHOICES {
                self.master.variants.push(variant);
            }
            return Ok(());
        }
        if self.media.segments.len() == MAX_SEGMENTS {
            return Err("it lists too many segments");
        }
        let mut segment = std::mem::take(&mut self.next);
        segment.range = self.place_range(line);
        segment.uri = line.to_owned();
        segment.encryption = self.encryption.clone();
        segment.map = self.map.clone();
        self.media.segments.push(segment);
        self.key_named = false;
        Ok(())
    }

    fn place_range(&mut self, uri: &str) -> Option<ByteRange> {
        let (len, offset) = self.range.take()?;
        let follows = || {
            let (last, end) = self.last_range.as_ref()?;
            (last == uri).then_some(*end)
        };
        let offset = offset.or_else(follows).unwrap_or(0);
        self.last_range = Some((uri.to_owned(), offset.checked_add(len)?));
        Some(ByteRange { offset, len })
    }

    fn key(&mut self, value: &str) {
        let method = attribute(value, "METHOD").unwrap_or_default();
        let format = attribute(value, "KEYFORMAT").unwrap_or("identity");
        match (method, attribute(value, "URI")) {
            ("NONE", _) => self.encryption = Encryption::None,
            ("AES-128", Some(uri)) if format == "identity" => {
                let key = Key {
                    uri: uri.to_owned(),
                    iv: attribute(value, "IV").and_then(vector),
                };
                self.encryption = Encryption::Aes128(Arc::new(key));
                self.key_named = true;
            }
            // Another lock on the same segments does not matter where there is a key for the first.
            _ if self.key_named => {}
            ("AES-128", _) => self.encryption = Encryption::Other(format.into()),
            _ => self.encryption = Encryption::Other(method.into()),
        }
    }

    fn read_map(&mut self, value: &str) {
        self.map = attribute(value, "URI").map(|uri| {
            let range = attribute(value, "BYTERANGE").and_then(range);
            Arc::new(Map {
                uri: uri.to_owned(),
                range: range.map(|(len, offset)| ByteRange {
                    offset: offset.unwrap_or(0),
                    len,
                }),
                encryption: self.encryption.clone(),
            })
        });
    }

    fn rendition(&mut self, value: &str) {
        let is_audio = attribute(value, "TYPE") == Some("AUDIO");
        if is_audio && self.master.renditions.len() < MAX_CHOICES {
            self.master.renditions.push(Rendition {
                group: attribute(value, "GROUP-ID").unwrap_or_default().to_owned(),
                uri: attribute(value, "URI").map(str::to_owned),
                default: attribute(value, "DEFAULT") == Some("YES"),
            });
        }
    }
}

fn variant(value: &str) -> Variant {
    let text = |name| attribute(value, name).map(str::to_owned);
    Variant {
        uri: String::new(),
        bandwidth: attribute(value, "BANDWIDTH")
            .and_then(|bits| bits.parse().ok())
            .unwrap_or(0),
        codecs: text("CODECS"),
        audio: text("AUDIO"),
        pictures: attribute(value, "RESOLUTION").is_some(),
    }
}

/// The value of an attribute in `NAME=value,NAME="value, too"`.
fn attribute<'a>(list: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = list;
    loop {
        let (name, value) = rest.split_once('=')?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                (value, after.split_once(',').map_or("", |(_, after)| after))
            }
            None => value.split_once(',').unwrap_or((value, "")),
        };
        if name.trim() == wanted {
            return Some(value.trim());
        }
        rest = after;
    }
}

/// `length[@offset]`.
fn range(value: &str) -> Option<(u64, Option<u64>)> {
    let value = value.trim();
    let (len, offset) = match value.split_once('@') {
        Some((len, offset)) => (len, Some(offset.trim().parse().ok()?)),
        None => (value, None),
    };
    Some((len.trim().parse().ok()?, offset))
}

/// `0x…` with up to 32 digits.
fn vector(value: &str) -> Option<[u8; 16]> {
    let digits = value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"))?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

fn microseconds(seconds: &str) -> u64 {
    let seconds = seconds.trim().parse().unwrap_or(0.0_f64);
    // `clamp` keeps what is no number, and the cast makes it 0.
    (seconds.clamp(0.0, MAX_SECONDS) * 1e6) as u64
}

#[cfg(test)]
mod tests;
