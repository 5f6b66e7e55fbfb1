//! The edit list of an MP4 file's first sound track: what encoders put in front and behind (ISO 14496-12).

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::input::Input;

/// Boxes looked at before the search is given up.
const MAX_BOXES: usize = 4096;
/// How deep `moov/trak/mdia/mdhd` and its siblings lie.
const MAX_DEPTH: usize = 4;

/// Which part of the decoded sound is to be heard, in ticks of the track.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Edit {
    /// Ticks in front that are not heard.
    pub(crate) lead: i64,
    /// Ticks that are heard; all when unknown.
    pub(crate) length: Option<i64>,
}

/// Reads the edit list; a file without one, or with one that makes no sense, is heard whole.
pub(crate) fn read(input: &mut Input) -> Edit {
    let mut search = Search::default();
    if input.seekable() {
        let end = input.len().unwrap_or(u64::MAX);
        let _ = search.walk(input, 0, end, 0);
        // The container's reader begins at the beginning.
        let _ = input.rewind();
    } else {
        let head = input.head();
        let _ = search.walk(&mut Cursor::new(head), 0, head.len() as u64, 0);
    }
    search.edit().unwrap_or_default()
}

/// What was found so far; the fields of a track are complete when its `trak` box ends.
#[derive(Debug, Default)]
struct Search {
    boxes: usize,
    movie_timescale: u32,
    timescale: u32,
    is_sound: bool,
    /// Duration in the movie's ticks and begin in the track's.
    entry: Option<(u64, i64)>,
    done: bool,
}

impl Search {
    /// Looks at the boxes between two positions, and into those that lead to the edit list.
    fn walk(
        &mut self,
        source: &mut (impl Read + Seek),
        mut at: u64,
        end: u64,
        depth: usize,
    ) -> io::Result<()> {
        while !self.done && end.saturating_sub(at) >= 8 && depth < MAX_DEPTH {
            self.boxes += 1;
            if self.boxes > MAX_BOXES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            source.seek(SeekFrom::Start(at))?;
            let size = u64::from(u32::from_be_bytes(read_array(source)?));
            let name: [u8; 4] = read_array(source)?;
            let (header, size) = match size {
                0 => (8, end - at),
                1 => (16, u64::from_be_bytes(read_array(source)?)),
                size => (8, size),
            };
            let next = at
                .checked_add(size)
                .filter(|&next| size >= header && next <= end);
            let next = next.ok_or(io::ErrorKind::InvalidData)?;
            match &name {
                b"moov" | b"edts" | b"mdia" => self.walk(source, at + header, next, depth + 1)?,
                b"trak" => {
                    (self.is_sound, self.entry) = (false, None);
                    self.walk(source, at + header, next, depth + 1)?;
                    self.done = self.is_sound;
                }
                b"mvhd" => self.movie_timescale = read_timescale(source)?,
                b"mdhd" => self.timescale = read_timescale(source)?,
                b"hdlr" => {
                    let fields: [u8; 12] = read_array(source)?;
                    self.is_sound = fields[8..] == *b"soun";
                }
                b"elst" => self.entry = read_entry(source)?,
                _ => {}
            }
            at = next;
        }
        Ok(())
    }

    fn edit(&self) -> Option<Edit> {
        let (duration, lead) = self.entry.filter(|_| self.done)?;
        let scaled = u128::from(duration) * u128::from(self.timescale);
        let length = scaled.checked_div(self.movie_timescale.into());
        let length = length
            .and_then(|ticks| i64::try_from(ticks).ok())
            .filter(|&ticks| ticks > 0);
        Some(Edit { lead, length })
    }
}

fn read_timescale(source: &mut impl Read) -> io::Result<u32> {
    let [version, ..] = read_array::<4>(source)?;
    match version {
        1 => drop(read_array::<16>(source)?),
        _ => drop(read_array::<8>(source)?),
    }
    read_array(source).map(u32::from_be_bytes)
}

/// The first entry that is no pause.
fn read_entry(source: &mut impl Read) -> io::Result<Option<(u64, i64)>> {
    const MAX_ENTRIES: u32 = 16;
    let [version, ..] = read_array::<4>(source)?;
    let count = u32::from_be_bytes(read_array(source)?);
    for _ in 0..count.min(MAX_ENTRIES) {
        let (duration, begin) = match version {
            1 => (
                u64::from_be_bytes(read_array(source)?),
                i64::from_be_bytes(read_array(source)?),
            ),
            _ => (
                u64::from(u32::from_be_bytes(read_array(source)?)),
                i64::from(i32::from_be_bytes(read_array(source)?)),
            ),
        };
        let _rate: [u8; 4] = read_array(source)?;
        if begin >= 0 {
            // Several edits make a montage, which is heard whole behind the first one's lead.
            return Ok(Some((if count == 1 { duration } else { 0 }, begin)));
        }
    }
    Ok(None)
}

fn read_array<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}
