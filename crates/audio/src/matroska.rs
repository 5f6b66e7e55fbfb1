//! What symphonia's Matroska reader leaves out: stripped packet headers, and the cut at the end.
//!
//! Only a few elements are looked at: the table of tracks near the front, and the last cluster of a
//! file that can be sought (RFC 9559, sections 5.1.4.1.31 and 5.1.3.5.7).

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::input::Input;

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;
const TRACKS: u32 = 0x1654_AE6B;
/// Elements looked at before the search is given up.
const MAX_ELEMENTS: usize = 4096;
/// The longest table of tracks that is read.
const MAX_TRACKS: u64 = 1 << 20;
/// How far from the end the last cluster is looked for.
const TAIL: u64 = 512 * 1024;

/// What was found in a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Notes {
    /// For each track that strips them: the bytes that belong in front of every packet.
    stripped: Vec<(u32, Vec<u8>)>,
    /// Tracks whose packets are compressed or encrypted in a way that cannot be undone.
    locked: Vec<u32>,
    /// For each track: nanoseconds to cut from its last packet.
    discard: Vec<(u32, u64)>,
}

impl Notes {
    pub(crate) fn prefix(&self, track: u32) -> Option<&[u8]> {
        let found = self.stripped.iter().find(|(id, _)| *id == track);
        found.map(|(_, bytes)| bytes.as_slice())
    }

    pub(crate) fn is_locked(&self, track: u32) -> bool {
        self.locked.contains(&track)
    }

    pub(crate) fn discard_ns(&self, track: u32) -> u64 {
        let found = self.discard.iter().find(|(id, _)| *id == track);
        found.map_or(0, |(_, nanoseconds)| *nanoseconds)
    }
}

/// Reads the notes; what makes no sense is left out.
pub(crate) fn read(input: &mut Input) -> Notes {
    let mut notes = Notes::default();
    let tracks = if input.seekable() {
        find_tracks(input)
    } else {
        let head = input.head().to_vec();
        find_tracks(&mut Cursor::new(head))
    };
    notes.read_tracks(&tracks.unwrap_or_default());
    if input.seekable() {
        if let Some(len) = input.len().filter(|_| input.is_quick()) {
            let tail = read_tail(input, len).unwrap_or_default();
            notes.read_last_cluster(&tail);
        }
        // The container's reader begins at the beginning.
        let _ = input.rewind();
    }
    notes
}

impl Notes {
    fn read_tracks(&mut self, tracks: &[u8]) {
        for (_, entry) in Elements(tracks).filter(|(id, _)| *id == 0xAE) {
            let number = Elements(entry).find(|(id, _)| *id == 0xD7);
            let Some(number) = number.and_then(|(_, body)| u32::try_from(unsigned(body)).ok())
            else {
                continue;
            };
            let encodings = Elements(entry).filter(|(id, _)| *id == 0x6D80);
            let mut prefix = Vec::new();
            for (_, encoding) in
                encodings.flat_map(|(_, body)| Elements(body).filter(|(id, _)| *id == 0x6240))
            {
                match stripped_header(encoding) {
                    Some(bytes) => prefix.extend(bytes),
                    None => self.locked.push(number),
                }
            }
            if !prefix.is_empty() {
                self.stripped.push((number, prefix));
            }
        }
    }

    fn read_last_cluster(&mut self, tail: &[u8]) {
        let id = CLUSTER.to_be_bytes();
        let starts = tail.windows(4).enumerate().rev();
        let last = starts
            .filter(|(_, bytes)| *bytes == id)
            .find_map(|(at, _)| Elements(&tail[at..]).next());
        let Some((_, cluster)) = last else { return };
        for (id, body) in Elements(cluster) {
            let (block, padding) = match id {
                0xA3 => (Some(body), 0),
                0xA0 => {
                    let inside = |wanted| Elements(body).find(|(id, _)| *id == wanted);
                    let padding = inside(0x75A2).map_or(0, |(_, body)| signed(body));
                    (inside(0xA1).map(|(_, body)| body), padding)
                }
                _ => continue,
            };
            let number = block.and_then(|block| vint(block, false));
            let Some(number) = number.and_then(|(number, _)| u32::try_from(number).ok()) else {
                continue;
            };
            // Only what the last block of a track says concerns the end.
            self.discard.retain(|(id, _)| *id != number);
            if let Ok(padding @ 1..) = u64::try_from(padding) {
                self.discard.push((number, padding));
            }
        }
    }
}

/// The bytes that an encoding strips from every packet; `None` for any other encoding.
fn stripped_header(encoding: &[u8]) -> Option<&[u8]> {
    let kind = Elements(encoding).find(|(id, _)| *id == 0x5033);
    if kind.is_some_and(|(_, body)| unsigned(body) != 0) {
        return None;
    }
    let compression = Elements(encoding).find(|(id, _)| *id == 0x5034);
    let (_, compression) = compression?;
    let method = Elements(compression).find(|(id, _)| *id == 0x4254);
    method.filter(|(_, body)| unsigned(body) == 3)?;
    let settings = Elements(compression).find(|(id, _)| *id == 0x4255);
    Some(settings.map_or(&[][..], |(_, bytes)| bytes))
}

/// The body of the table of tracks, which lies before the first cluster.
fn find_tracks(source: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let mut at = 0;
    for _ in 0..MAX_ELEMENTS {
        source.seek(SeekFrom::Start(at))?;
        let mut header = [0; 12];
        let read = read_up_to(source, &mut header)?;
        let element = element_header(&header[..read]).ok_or(io::ErrorKind::InvalidData)?;
        at += element.header as u64;
        match (element.id, element.len) {
            (SEGMENT, _) => {}
            (TRACKS, Some(len)) if len <= MAX_TRACKS => {
                source.seek(SeekFrom::Start(at))?;
                let mut body = Vec::new();
                source.take(len).read_to_end(&mut body)?;
                return Ok(body);
            }
            (CLUSTER, _) | (_, None) => break,
            (_, Some(len)) => at = at.checked_add(len).ok_or(io::ErrorKind::InvalidData)?,
        }
    }
    Ok(Vec::new())
}

fn read_tail(source: &mut (impl Read + Seek), len: u64) -> io::Result<Vec<u8>> {
    let from = len.saturating_sub(TAIL);
    source.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    source.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

fn read_up_to(source: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match source.read(&mut out[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// An element's id, the length of its header, and that of its body unless it is unknown.
struct Element {
    id: u32,
    header: usize,
    len: Option<u64>,
}

fn element_header(data: &[u8]) -> Option<Element> {
    let (id, id_len) = vint(data, true)?;
    let (len, len_len) = vint(data.get(id_len..)?, false)?;
    let unknown = len == (1 << (7 * len_len)) - 1;
    Some(Element {
        id: u32::try_from(id).ok()?,
        header: id_len + len_len,
        len: (!unknown).then_some(len),
    })
}

/// A number of variable length and how many bytes it takes; ids keep their length mark.
fn vint(data: &[u8], keep_mark: bool) -> Option<(u64, usize)> {
    let first = *data.first()?;
    let count = first.leading_zeros() as usize + 1;
    let bytes = data.get(..count).filter(|_| count <= 8)?;
    let value = bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | u64::from(byte));
    let mark = 1_u64 << (7 * count);
    Some((if keep_mark { value } else { value & (mark - 1) }, count))
}

/// The elements in a body, one after the other, as long as they fit. The last one may be cut off.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        let element = element_header(self.0)?;
        let rest = self.0.get(element.header..)?;
        let len = element.len.and_then(|len| usize::try_from(len).ok());
        let (body, rest) = rest.split_at(len.unwrap_or(rest.len()).min(rest.len()));
        self.0 = rest;
        Some((element.id, body))
    }
}

fn unsigned(body: &[u8]) -> u64 {
    let bytes = body.iter().take(8);
    bytes.fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn signed(body: &[u8]) -> i64 {
    let unused = 64 - 8 * body.len().clamp(1, 8) as u32;
    (unsigned(body) << unused) as i64 >> unused
}
