//! Ogg pages: found, checked and read from a byte source (RFC 3533).

use std::io::{Read, Seek, SeekFrom};

use crate::error::AudioError;
use crate::input::Input;

/// The longest page: a header, 255 lacing values, 255 segments of 255 bytes.
pub(crate) const MAX_PAGE: usize = 27 + 255 + 255 * 255;
/// Bytes without a good page that are skipped before the file is given up.
const MAX_GARBAGE: u64 = 1 << 20;
/// Pages in a row with a wrong checksum that are skipped.
const MAX_BAD_PAGES: u32 = 64;
/// Granule positions from here on are as good as none; 186 years.
const MAX_GRANULE: i64 = 1 << 48;
/// Bytes are read in multiples of this. Little lies here between two pages, because there are thousands of readers.
const CHUNK: usize = 4 * 1024;
/// Where the checksum stands in a page.
const CHECKSUM_AT: std::ops::Range<usize> = 22..26;

/// One page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) serial: u32,
    pub(crate) sequence: u32,
    /// The granule position at the end of the last packet that ends here.
    pub(crate) granule: Option<i64>,
    /// The first packet began on an earlier page.
    pub(crate) continued: bool,
    /// The first page of its stream.
    pub(crate) begins: bool,
    /// The last page of its stream.
    pub(crate) ends: bool,
    pub(crate) lacing: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// Where the page begins and ends in the file.
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Reads pages one after the other.
pub(crate) struct PageReader {
    input: Input,
    buffer: Vec<u8>,
    /// Where `buffer` begins in the file.
    offset: u64,
    bad_pages: u32,
}

impl PageReader {
    pub(crate) fn new(input: Input) -> PageReader {
        input.budget().refill(u64::MAX);
        PageReader {
            input,
            buffer: Vec::new(),
            offset: 0,
            bad_pages: 0,
        }
    }

    /// The next good page; `None` at the end of the file, also when it ends inside a page.
    pub(crate) fn next_page(&mut self) -> Result<Option<Page>, AudioError> {
        let from = self.offset;
        loop {
            if self.offset - from > MAX_GARBAGE {
                return Err(AudioError::malformed(
                    "ogg",
                    "there is no page for too long",
                ));
            }
            if !self.fill(27)? {
                return Ok(None);
            }
            if !self.buffer.starts_with(b"OggS") {
                self.skip_to_capture();
                continue;
            }
            match self.read_page()? {
                Some(page) => {
                    self.bad_pages = 0;
                    return Ok(Some(page));
                }
                None => {
                    self.bad_pages += 1;
                    if self.bad_pages > MAX_BAD_PAGES {
                        return Err(AudioError::malformed("ogg", "too many pages are damaged"));
                    }
                    self.consume(1);
                }
            }
        }
    }

    /// Continues at a byte position of the file.
    pub(crate) fn jump(&mut self, position: u64) -> Result<(), AudioError> {
        self.buffer.clear();
        self.offset = position;
        self.bad_pages = 0;
        let sought = self.input.seek(SeekFrom::Start(position));
        sought
            .map(drop)
            .map_err(|error| AudioError::io("ogg", &error))
    }

    pub(crate) fn byte_len(&self) -> Option<u64> {
        self.input.len()
    }

    pub(crate) fn seekable(&self) -> bool {
        self.input.seekable()
    }

    /// Reads the page at the front of the buffer; `None` when its checksum or version is wrong.
    fn read_page(&mut self) -> Result<Option<Page>, AudioError> {
        let segments = usize::from(self.buffer[26]);
        if !self.fill(27 + segments)? {
            return Ok(None);
        }
        let body_len: usize = self.buffer[27..27 + segments]
            .iter()
            .map(|&len| usize::from(len))
            .sum();
        let len = 27 + segments + body_len;
        if !self.fill(len)? {
            return Ok(None);
        }
        let bytes = &self.buffer[..len];
        let stated = u32::from_le_bytes([bytes[22], bytes[23], bytes[24], bytes[25]]);
        if bytes[4] != 0 || checksum(bytes) != stated {
            return Ok(None);
        }
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[at + byte]));
        let granule = (u64::from(word(10)) << 32 | u64::from(word(6))) as i64;
        let page = Page {
            serial: word(14),
            sequence: word(18),
            granule: (0..MAX_GRANULE).contains(&granule).then_some(granule),
            continued: bytes[5] & 1 != 0,
            begins: bytes[5] & 2 != 0,
            ends: bytes[5] & 4 != 0,
            lacing: bytes[27..27 + segments].to_vec(),
            body: bytes[27 + segments..].to_vec(),
            start: self.offset,
            end: self.offset + len as u64,
        };
        self.consume(len);
        Ok(Some(page))
    }

    /// Skips to the next place where a page may begin.
    fn skip_to_capture(&mut self) {
        let found = self.buffer[1..]
            .windows(4)
            .position(|bytes| bytes == b"OggS");
        // The last three bytes may be the beginning of a capture pattern.
        self.consume(found.map_or(self.buffer.len() - 3, |at| at + 1));
    }

    fn consume(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.buffer.shrink_to(CHUNK);
        self.offset += count as u64;
    }

    /// Makes `wanted` bytes available, if the file has them.
    fn fill(&mut self, wanted: usize) -> Result<bool, AudioError> {
        while self.buffer.len() < wanted {
            let had = self.buffer.len();
            let missing = (wanted - had).next_multiple_of(CHUNK);
            self.buffer.reserve_exact(missing);
            self.buffer.resize(had + missing, 0);
            let read = self.input.read(&mut self.buffer[had..]);
            self.buffer.truncate(had + *read.as_ref().unwrap_or(&0));
            if read.map_err(|error| AudioError::io("ogg", &error))? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The page checksum: CRC-32 with polynomial 0x04C11DB7, its own field counted as zero.
pub(crate) fn checksum(page: &[u8]) -> u32 {
    let (head, body) = page.split_at(page.len().min(CHECKSUM_AT.end));
    let mut clear = [0; CHECKSUM_AT.end];
    let clear = &mut clear[..head.len()];
    clear.copy_from_slice(head);
    clear
        .iter_mut()
        .skip(CHECKSUM_AT.start)
        .for_each(|byte| *byte = 0);
    crc(crc(0, clear), body)
}

/// Eight bytes at a time: each table tells what a byte comes to after so many more bytes.
fn crc(mut crc: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in eights {
        let [a, b, c, d] = (crc ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        crc = [a, b, c, d, e, f, g, h]
            .into_iter()
            .zip(CRC_TABLES.iter().rev())
            .fold(0, |crc, (byte, table)| crc ^ table[usize::from(byte)]);
    }
    rest.iter().fold(crc, |crc, &byte| {
        (crc << 8) ^ CRC_TABLES[0][usize::from((crc >> 24) as u8 ^ byte)]
    })
}

const CRC_TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut index = 0;
    while index < 256 {
        let mut value = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 0x8000_0000 != 0 {
                (value << 1) ^ 0x04C1_1DB7
            } else {
                value << 1
            };
            bit += 1;
        }
        tables[0][index] = value;
        index += 1;
    }
    let mut later = 1;
    while later < 8 {
        let mut index = 0;
        while index < 256 {
            let before: u32 = tables[later - 1][index];
            tables[later][index] = (before << 8) ^ tables[0][(before >> 24) as usize];
            index += 1;
        }
        later += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_any_length_is_that_of_the_definition() {
        let bytes: Vec<u8> = (0..700_u32).map(|n| (n * n / 7) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(
                checksum(&bytes[..len]),
                by_definition(&bytes[..len]),
                "{len}"
            );
        }
    }

    /// Bit by bit, as RFC 3533 describes it.
    fn by_definition(page: &[u8]) -> u32 {
        let mut crc = 0_u32;
        for (at, &byte) in page.iter().enumerate() {
            let byte = if (22..26).contains(&at) { 0 } else { byte };
            crc ^= u32::from(byte) << 24;
            for _ in 0..8 {
                let carry = crc & 0x8000_0000 != 0;
                crc = (crc << 1) ^ if carry { 0x04C1_1DB7 } else { 0 };
            }
        }
        crc
    }
}
