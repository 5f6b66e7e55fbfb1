//! The trailer of a protected frame: where tag, nonce and clear ranges lie.

use super::{MARKER, TAG_LEN};

/// Size byte and marker.
const FOOTER_LEN: usize = 1 + MARKER.len();
/// Tag and footer; the nonce comes on top.
const MIN_SUPPLEMENTAL: usize = TAG_LEN + FOOTER_LEN;

/// The bytes are no protected frame: no marker, or a trailer that does not add up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an end-to-end encrypted frame")]
pub struct NotAFrame;

/// What the end of a protected frame says about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trailer<'a> {
    /// Bytes of the interleaved frame, which lies before the tag.
    pub body_len: usize,
    /// The tag.
    pub tag: [u8; TAG_LEN],
    /// The counter as it travels.
    pub nonce: u32,
    /// The bytes of the body that are clear.
    pub ranges: Ranges<'a>,
}

impl<'a> Trailer<'a> {
    /// Reads the trailer and checks everything it claims. Allocates nothing.
    ///
    /// # Errors
    /// [`NotAFrame`].
    pub fn parse(frame: &'a [u8]) -> Result<Trailer<'a>, NotAFrame> {
        if frame.len() < MIN_SUPPLEMENTAL || !frame.ends_with(&MARKER) {
            return Err(NotAFrame);
        }
        let supplemental_len = usize::from(frame[frame.len() - FOOTER_LEN]);
        if supplemental_len < MIN_SUPPLEMENTAL {
            return Err(NotAFrame);
        }
        let body_len = frame.len().checked_sub(supplemental_len).ok_or(NotAFrame)?;
        let (tag, rest) = frame[body_len..]
            .split_first_chunk::<TAG_LEN>()
            .ok_or(NotAFrame)?;
        let fields = &rest[..rest.len() - FOOTER_LEN];
        let (nonce, range_bytes) = read_uleb128(fields).ok_or(NotAFrame)?;
        let ranges = Ranges { rest: range_bytes };
        check_ranges(range_bytes, body_len)?;
        Ok(Trailer {
            body_len,
            tag: *tag,
            nonce: u32::try_from(nonce).map_err(|_| NotAFrame)?,
            ranges,
        })
    }
}

/// Bytes of a frame's body that are clear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// Where they begin.
    pub offset: usize,
    /// How many there are.
    pub size: usize,
}

/// Clear ranges in ascending order, read from the frame as they are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ranges<'a> {
    rest: &'a [u8],
}

impl Ranges<'_> {
    /// Whether everything is encrypted, as in Opus frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl Iterator for Ranges<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        let (range, rest) = read_range(self.rest)?;
        self.rest = rest;
        Some(range)
    }
}

/// All of `bytes` must be ranges that ascend, do not overlap and end within the body.
fn check_ranges(bytes: &[u8], body_len: usize) -> Result<(), NotAFrame> {
    let mut rest = bytes;
    let mut free_from = 0;
    while !rest.is_empty() {
        let (range, after) = read_range(rest).ok_or(NotAFrame)?;
        let end = range.offset.checked_add(range.size).ok_or(NotAFrame)?;
        if range.offset < free_from || end > body_len {
            return Err(NotAFrame);
        }
        free_from = end;
        rest = after;
    }
    Ok(())
}

fn read_range(bytes: &[u8]) -> Option<(Range, &[u8])> {
    let (offset, rest) = read_uleb128(bytes)?;
    let (size, rest) = read_uleb128(rest)?;
    let range = Range {
        offset: usize::try_from(offset).ok()?,
        size: usize::try_from(size).ok()?,
    };
    Some((range, rest))
}

/// Seven bits a byte, lowest first, the high bit saying that more follow. At most 64 bits.
fn read_uleb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7F);
        let shift = 7 * at as u32;
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// Writes what follows the body: tag, nonce, size, marker. Returns its length.
pub(super) fn write_trailer(
    tag: [u8; TAG_LEN],
    nonce: u32,
    out: &mut [u8; super::MAX_OVERHEAD],
) -> usize {
    out[..TAG_LEN].copy_from_slice(&tag);
    let mut at = TAG_LEN;
    let mut left = nonce;
    while left >= 0x80 {
        out[at] = left as u8 | 0x80;
        left >>= 7;
        at += 1;
    }
    out[at] = left as u8;
    at += 1;
    let len = at + FOOTER_LEN;
    out[at] = len as u8;
    out[at + 1..len].copy_from_slice(&MARKER);
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_their_limits() {
        let cases: [(&[u8], Option<u64>); 9] = [
            (&[], None),
            (&[0x00], Some(0)),
            (&[0x7F], Some(127)),
            (&[0x80, 0x01], Some(128)),
            (&[0x80, 0x00], Some(0)),
            (&[0x80], None),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], Some(0xFFFF_FFFF)),
            (&[0xFF; 10], None),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2],
                None,
            ),
        ];
        for (bytes, value) in cases {
            let read = read_uleb128(bytes).map(|(value, _)| value);
            assert_eq!(read, value, "{bytes:02x?}");
        }
    }

    #[test]
    fn what_does_not_add_up_is_no_frame() {
        let good = frame(4, &[1, 2, 1]);
        assert!(Trailer::parse(&good).is_ok());
        // Too short, wrong marker, size too small, size too large, nonce without end, nonce too large.
        assert_refused(&good[good.len() - 10..]);
        for cut in 1..good.len() {
            assert_refused(&good[..good.len() - cut]);
        }
        assert_refused(&with_size(&good, 10));
        assert_refused(&with_size(&good, 200));
        assert_refused(&frame(4, &[0x80, 0x80]));
        assert_refused(&frame(4, &[0xFF, 0xFF, 0xFF, 0xFF, 0x1F]));
    }

    #[test]
    fn ranges_ascend_apart_and_end_within_the_body() {
        let cases: [(&[u8], bool); 8] = [
            (&[0, 2], true),
            (&[0, 2, 2, 2], true),
            (&[1, 1, 3, 1], true),
            (&[0, 4], true),
            (&[0, 5], false),
            (&[2, 1, 1, 1], false),
            (&[0, 3, 2, 1], false),
            (&[0], false),
        ];
        for (ranges, good) in cases {
            let mut fields = vec![7];
            fields.extend_from_slice(ranges);
            let bytes = frame(4, &fields);
            let parsed = Trailer::parse(&bytes);
            assert_eq!(parsed.is_ok(), good, "{ranges:?}");
            if let Ok(trailer) = parsed {
                assert_eq!(trailer.nonce, 7);
                assert_eq!(trailer.ranges.count(), ranges.len() / 2);
            }
        }
    }

    /// A frame with a body of zeros, a tag of zeros and these fields before the size byte.
    fn frame(body_len: usize, fields: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; body_len + TAG_LEN];
        bytes.extend_from_slice(fields);
        bytes.push((TAG_LEN + fields.len() + FOOTER_LEN) as u8);
        bytes.extend_from_slice(&MARKER);
        bytes
    }

    fn with_size(frame: &[u8], size: u8) -> Vec<u8> {
        let mut bytes = frame.to_vec();
        let at = bytes.len() - FOOTER_LEN;
        bytes[at] = size;
        bytes
    }

    fn assert_refused(bytes: &[u8]) {
        assert_eq!(Trailer::parse(bytes), Err(NotAFrame), "{bytes:02x?}");
    }
}
