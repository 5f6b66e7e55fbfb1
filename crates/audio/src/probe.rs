//! Recognises a format by its first bytes.

use crate::error::{AudioError, AudioErrorCode};
use crate::input::Patch;

/// The formats that are told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// AAC frames in ADTS.
    Adts,
    Aiff,
    Caf,
    Flac,
    Matroska,
    /// MPEG audio layer II.
    Mp2,
    Mp3,
    Mp4,
    /// Ogg with an Opus stream.
    OggOpus,
    /// Ogg with Vorbis or FLAC.
    OggOther,
    Wav,
}

impl Kind {
    /// The name as it appears in errors and in the track's info.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Adts => "adts",
            Kind::Aiff => "aiff",
            Kind::Caf => "caf",
            Kind::Flac => "flac",
            Kind::Matroska => "webm",
            Kind::Mp2 => "mp2",
            Kind::Mp3 => "mp3",
            Kind::Mp4 => "mp4",
            Kind::OggOpus | Kind::OggOther => "ogg",
            Kind::Wav => "wav",
        }
    }
}

/// What `head`, the beginning of a file, is.
pub(crate) fn recognise(head: &[u8]) -> Result<Kind, AudioError> {
    let kind = match head {
        [b'O', b'g', b'g', b'S', ..] => Some(ogg_kind(head)),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some(Kind::Matroska),
        [b'f', b'L', b'a', b'C', ..] => Some(Kind::Flac),
        _ if is_wave(head) => Some(Kind::Wav),
        _ if head.starts_with(b"FORM") && matches!(head.get(8..12), Some(b"AIFF" | b"AIFC")) => {
            Some(Kind::Aiff)
        }
        [b'c', b'a', b'f', b'f', ..] => Some(Kind::Caf),
        _ if is_mp4(head) => Some(Kind::Mp4),
        _ if has_frames(head, adts_frame_len) => Some(Kind::Adts),
        _ if has_frames(head, mp3_frame_len) => Some(Kind::Mp3),
        _ if has_frames(head, mp2_frame_len) => Some(Kind::Mp2),
        _ => None,
    };
    kind.ok_or_else(|| AudioError::new(AudioErrorCode::UnsupportedFormat, "probe", other(head)))
}

/// Beginnings of well-known things that cannot be played, and what is said of them. `?` is any byte.
const OTHERS: [(&[u8], &str); 8] = [
    (
        b"#EXTM3U",
        "the content is a playlist, and here sound was wanted",
    ),
    (
        b"\x30\x26\xB2\x75\x8E\x66\xCF\x11",
        "the content is ASF (Windows Media), which is not supported",
    ),
    (b"\x0B\x77", "the content is AC-3, which is not supported"),
    (b"wvpk", "the content is WavPack, which is not supported"),
    (
        b"MAC ",
        "the content is Monkey's Audio, which is not supported",
    ),
    (
        b".snd",
        "the content is Sun audio (AU), which is not supported",
    ),
    (
        b"MThd",
        "the content is MIDI, which holds notes and no sound",
    ),
    (
        b"RIFF????AVI ",
        "the content is AVI, which is not supported",
    ),
];

/// The same of texts, which may begin with space and be in upper or lower case.
const OTHER_TEXTS: [(&[u8], &str); 3] = [
    (
        b"<!doctype html",
        "the content is a web page, not sound; a page needs a resolver",
    ),
    (
        b"<html",
        "the content is a web page, not sound; a page needs a resolver",
    ),
    (
        b"[playlist]",
        "the content is a playlist, and here sound was wanted",
    ),
];

/// What is said of a beginning that cannot be played: its name where it has a well-known one.
fn other(head: &[u8]) -> &'static str {
    let text = head.trim_ascii_start();
    let is_text = |mark: &[u8]| {
        text.get(..mark.len())
            .is_some_and(|front| front.eq_ignore_ascii_case(mark))
    };
    let is = |magic: &[u8]| {
        let same = |(wanted, byte): (&u8, &u8)| *wanted == b'?' || wanted == byte;
        head.len() >= magic.len() && magic.iter().zip(head).all(same)
    };
    let texts = OTHER_TEXTS.iter().find(|(mark, _)| is_text(mark));
    texts
        .or_else(|| OTHERS.iter().find(|(magic, _)| is(magic)))
        .map_or(
            "the content is no audio format that is known",
            |(_, said)| said,
        )
}

fn is_wave(head: &[u8]) -> bool {
    let large = head.starts_with(b"RF64") || head.starts_with(b"BW64");
    (large || head.starts_with(b"RIFF")) && head.get(8..12) == Some(b"WAVE")
}

/// What has to be read as other bytes for a WAV file with 64-bit lengths (EBU Tech 3306) to be a plain one.
///
/// A length beyond 32 bits becomes that of a stream without an end, and the end of the file is its end.
pub(crate) fn plain_wave(head: &[u8]) -> Vec<Patch> {
    let large = head.starts_with(b"RF64") || head.starts_with(b"BW64");
    if !large || !is_wave(head) || head.get(12..16) != Some(b"ds64") {
        return Vec::new();
    }
    let mut patches = vec![(0, *b"RIFF"), (4, [0xFF; 4])];
    let data_len = head.get(28..36).and_then(|bytes| bytes.try_into().ok());
    let data_len = data_len.map(u64::from_le_bytes).map(u32::try_from);
    let mut at = 12;
    while let Some(name) = head.get(at..at + 4) {
        if let (b"data", Some(Ok(len))) = (name, data_len) {
            patches.push((at as u64 + 4, len.to_le_bytes()));
            break;
        }
        let Some(&size) = head.get(at + 4..).and_then(<[u8]>::first_chunk::<4>) else {
            break;
        };
        let size = u32::from_le_bytes(size) as usize;
        at = at.saturating_add(8).saturating_add(size + size % 2);
    }
    patches
}

/// Whether an MP4 file has its sound before the index that is needed to read it.
pub(crate) fn index_is_behind(head: &[u8]) -> bool {
    let mut rest = head;
    while let Some(&[a, b, c, d, ref name @ ..]) = rest.first_chunk::<8>() {
        let size = match u32::from_be_bytes([a, b, c, d]) {
            0 => return name == b"mdat",
            1 => match rest.get(8..).and_then(<[u8]>::first_chunk::<8>) {
                Some(&size) => u64::from_be_bytes(size),
                None => return name == b"mdat",
            },
            size => size.into(),
        };
        match name {
            b"mdat" => return true,
            b"moov" | b"moof" => return false,
            _ if size < 8 => return false,
            _ => {}
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        rest = rest.get(size..).unwrap_or_default();
    }
    false
}

/// The end of an MP3's first frame, if that holds no sound but tells of the length (a tag of Xing, LAME or VBRI).
pub(crate) fn length_tag_end(head: &[u8]) -> Option<usize> {
    let begins = |at: usize| head.get(at..).and_then(mp3_frame_len);
    let start = (0..head.len()).find(|&at| {
        begins(at).is_some_and(|len| at + len >= head.len() || begins(at + len).is_some())
    })?;
    let len = begins(start)?;
    let frame = head.get(start..start + len)?;
    let (is_mpeg1, is_mono) = (frame[1] & 0x08 != 0, frame[3] & 0xC0 == 0xC0);
    let side_info = match (is_mpeg1, is_mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let has = |at: usize, tag: &[u8]| frame.get(at..at + tag.len()) == Some(tag);
    // Behind a checksum it lies two bytes further on.
    let xing = |at| has(at, b"Xing") || has(at, b"Info");
    (xing(4 + side_info) || xing(6 + side_info) || has(36, b"VBRI")).then_some(start + len)
}

/// The length of an MPEG layer II frame at the front of `data`.
fn mp2_frame_len(data: &[u8]) -> Option<usize> {
    const MPEG1: [usize; 15] = [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ];
    const MPEG2: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let &[0xFF, second, third, _] = data.first_chunk::<4>()? else {
        return None;
    };
    let bitrate = usize::from(third >> 4);
    let rate = *[44_100, 48_000, 32_000].get(usize::from((third >> 2) & 3))?;
    let (kilobits, rate) = match second & 0xFE {
        0xFC => (*MPEG1.get(bitrate)?, rate),
        0xF4 => (*MPEG2.get(bitrate)?, rate / 2),
        _ => return None,
    };
    (kilobits > 0).then(|| 144 * kilobits * 1000 / rate + usize::from((third >> 1) & 1))
}

/// Looks through the first pages, which all begin a stream, for Opus.
fn ogg_kind(head: &[u8]) -> Kind {
    let mut rest = head;
    while let Some(header) = rest
        .first_chunk::<27>()
        .filter(|header| header.starts_with(b"OggS"))
    {
        let segments = usize::from(header[26]);
        let Some(lacing) = rest.get(27..27 + segments) else {
            break;
        };
        let body = 27 + segments;
        let len: usize = lacing.iter().map(|&len| usize::from(len)).sum();
        let payload = rest.get(body..).unwrap_or_default();
        if header[5] & 0x02 == 0 {
            break;
        }
        if payload.starts_with(b"OpusHead") {
            return Kind::OggOpus;
        }
        rest = payload.get(len..).unwrap_or_default();
    }
    Kind::OggOther
}

fn is_mp4(head: &[u8]) -> bool {
    let Some((size, rest)) = head.split_first_chunk::<4>() else {
        return false;
    };
    let size = u32::from_be_bytes(*size);
    match rest.get(..4) {
        Some(b"ftyp" | b"styp") => true,
        Some(b"moov" | b"mdat" | b"wide" | b"free" | b"skip") => size == 1 || size >= 8,
        _ => false,
    }
}

/// Whether three frames follow each other, or as many as there are, somewhere near the front.
fn has_frames(head: &[u8], frame_len: fn(&[u8]) -> Option<usize>) -> bool {
    const CHAIN: usize = 3;
    (0..head.len()).any(|start| {
        let mut at = start;
        for found in 0..CHAIN {
            match head.get(at..).and_then(frame_len) {
                Some(len) => at += len,
                // A file of one or two frames is believed only when it begins and ends with them.
                None => return start == 0 && found > 0 && at >= head.len(),
            }
        }
        true
    })
}

/// The length of an MPEG layer III frame at the front of `data`.
fn mp3_frame_len(data: &[u8]) -> Option<usize> {
    let &[0xFF, second, third, _] = data.first_chunk::<4>()? else {
        return None;
    };
    let version = (second >> 3) & 3;
    let bitrate_index = usize::from(third >> 4);
    let rate_index = usize::from((third >> 2) & 3);
    let is_layer3 = second & 0xE6 == 0xE2;
    if !is_layer3 || version == 1 || rate_index == 3 || matches!(bitrate_index, 0 | 15) {
        return None;
    }
    const MPEG1: [usize; 15] = [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    const MPEG2: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let rate = [44_100, 48_000, 32_000][rate_index];
    let (kilobits, rate, samples) = match version {
        3 => (MPEG1[bitrate_index], rate, 1152),
        2 => (MPEG2[bitrate_index], rate / 2, 576),
        _ => (MPEG2[bitrate_index], rate / 4, 576),
    };
    Some(samples / 8 * kilobits * 1000 / rate + usize::from((third >> 1) & 1))
}

/// The length of an ADTS frame at the front of `data`.
fn adts_frame_len(data: &[u8]) -> Option<usize> {
    let &[0xFF, second, third, b3, b4, b5, _] = data.first_chunk::<7>()? else {
        return None;
    };
    let rate_index = (third >> 2) & 0x0F;
    if second & 0xF6 != 0xF0 || rate_index > 12 {
        return None;
    }
    let len = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5 >> 5);
    (len > 7).then_some(len)
}

/// Where a Matroska file's segment ends by its own statement; `None` when it does not say.
pub(crate) fn matroska_end(head: &[u8]) -> Option<u64> {
    let (header_len, at) = read_vint(head, 4)?;
    let segment = usize::try_from(header_len).ok()?.checked_add(at)?;
    if head.get(segment..segment.checked_add(4)?)? != [0x18, 0x53, 0x80, 0x67] {
        return None;
    }
    let (len, at) = read_vint(head, segment + 4)?;
    (at as u64).checked_add(len)
}

/// An EBML length and the position behind it; `None` when it is cut off or stands for unknown.
fn read_vint(head: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *head.get(at)?;
    let count = first.leading_zeros() as usize + 1;
    let bytes = head.get(at..at + count).filter(|_| count <= 8)?;
    let value = bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | u64::from(byte));
    let mask = (1 << (7 * count)) - 1;
    let value = value & mask;
    (value != mask).then_some((value, at + count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[u8], kind: Kind) {
        assert_eq!(recognise(head).expect("a known format"), kind);
    }

    #[test]
    fn signatures_are_recognised() {
        check(b"fLaC\0\0\0\x22", Kind::Flac);
        check(b"RIFF\x24\0\0\0WAVEfmt ", Kind::Wav);
        check(b"RF64\xFF\xFF\xFF\xFFWAVEds64", Kind::Wav);
        check(b"FORM\0\0\0\x24AIFFCOMM", Kind::Aiff);
        check(b"caff\0\x01\0\0desc", Kind::Caf);
        let layer2 = [&[0xFF, 0xFD, 0xA4, 0x00][..], &[0; 572]].concat();
        check(&layer2.repeat(3), Kind::Mp2);
        check(b"\x1A\x45\xDF\xA3\x9F", Kind::Matroska);
        check(b"\0\0\0\x20ftypM4A ", Kind::Mp4);
        check(
            &[
                vec![0; 5],
                [&[0xFF, 0xFB, 0x90, 0x64][..], &[0; 413]]
                    .concat()
                    .repeat(3),
            ]
            .concat(),
            Kind::Mp3,
        );
    }

    #[test]
    fn an_index_behind_the_sound_is_noticed_in_time() {
        let mp4 = |boxes: &[(&[u8; 4], u32)]| -> Vec<u8> {
            let bytes = boxes.iter().flat_map(|&(name, size)| {
                let body = vec![0; (size as usize).saturating_sub(8)];
                [&size.to_be_bytes()[..], name, &body].concat()
            });
            bytes.collect()
        };
        for (boxes, behind) in [
            (&[(b"ftyp", 16), (b"free", 8), (b"mdat", 100)][..], true),
            (&[(b"ftyp", 16), (b"mdat", 0)], true),
            (&[(b"ftyp", 16), (b"moov", 50), (b"mdat", 100)], false),
            (&[(b"ftyp", 16), (b"moof", 50), (b"mdat", 100)], false),
            (&[(b"ftyp", 4), (b"mdat", 100)], false),
            (&[], false),
        ] {
            assert_eq!(index_is_behind(&mp4(boxes)), behind, "{boxes:?}");
        }
    }

    #[test]
    fn other_content_is_refused() {
        for head in [
            &b"\x89PNG\r\n\x1a\n"[..],
            b"<!DOCTYPE html>",
            b"RIFF\x24\0\0\0AVI ",
            &[0xFF; 4096],
            &[0; 64],
        ] {
            let error = recognise(head).expect_err("no audio");
            assert_eq!(error.code(), AudioErrorCode::UnsupportedFormat);
        }
    }

    #[test]
    fn what_is_well_known_is_named() {
        for (head, name) in [
            (&b"\r\n <!DOCTYPE html><html>"[..], "a web page"),
            (b"#EXTM3U\nhttp://a/", "a playlist"),
            (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9", "Windows Media"),
            (b"wvpk\0\0", "WavPack"),
            (b"\x0B\x77\0\0", "AC-3"),
            (b"RIFF\x24\0\0\0AVI LIST", "AVI"),
            (b"RIFF\x24\0\0\0AV", "no audio format that is known"),
        ] {
            let error = recognise(head).expect_err("not playable");
            assert!(error.detail().contains(name), "{}", error.detail());
        }
    }
}
