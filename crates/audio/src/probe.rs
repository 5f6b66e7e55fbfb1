//! Recognises a format by its first bytes.

use crate::error::{AudioError, AudioErrorCode};

/// The formats that are told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// AAC frames in ADTS.
    Adts,
    Aiff,
    Flac,
    Matroska,
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
            Kind::Flac => "flac",
            Kind::Matroska => "webm",
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
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'A',
            b'V',
            b'E',
            ..,
        ] => Some(Kind::Wav),
        [
            b'F',
            b'O',
            b'R',
            b'M',
            _,
            _,
            _,
            _,
            b'A',
            b'I',
            b'F',
            b'F' | b'C',
            ..,
        ] => Some(Kind::Aiff),
        _ if is_mp4(head) => Some(Kind::Mp4),
        _ if has_frames(head, adts_frame_len) => Some(Kind::Adts),
        _ if has_frames(head, mp3_frame_len) => Some(Kind::Mp3),
        _ => None,
    };
    kind.ok_or_else(|| AudioError::new(AudioErrorCode::UnsupportedFormat, "probe", other(head)))
}

/// What is said of a beginning that cannot be played: its name where it has a well-known one.
fn other(head: &[u8]) -> &'static str {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let is_text = |mark: &[u8]| {
        let text = head.trim_ascii_start();
        text.get(..mark.len())
            .is_some_and(|front| front.eq_ignore_ascii_case(mark))
    };
    if is_text(b"<!doctype html") || is_text(b"<html") {
        "the content is a web page, not sound; a page needs a resolver"
    } else if starts(b"#EXTM3U") || is_text(b"[playlist]") {
        "the content is a playlist, and here sound was wanted"
    } else if starts(b"\x30\x26\xB2\x75\x8E\x66\xCF\x11") {
        "the content is ASF (Windows Media), which is not supported"
    } else if starts(b"\x0B\x77") {
        "the content is AC-3, which is not supported"
    } else if starts(b"RF64") {
        "the content is RF64, which is not supported; plain WAV is"
    } else if starts(b"RIFF") && head.get(8..12) == Some(b"AVI ") {
        "the content is AVI, which is not supported"
    } else if starts(b"wvpk") {
        "the content is WavPack, which is not supported"
    } else if starts(b"MAC ") {
        "the content is Monkey's Audio, which is not supported"
    } else if starts(b"caff") {
        "the content is CAF, which is not supported"
    } else if starts(b".snd") {
        "the content is Sun audio (AU), which is not supported"
    } else if starts(b"MThd") {
        "the content is MIDI, which holds notes and no sound"
    } else if head.first() == Some(&0x47) && head.get(188) == Some(&0x47) {
        "the content is an MPEG transport stream, which is played inside of HLS only"
    } else if has_frames(head, layer2_frame_len) {
        "the content is MPEG audio layer II, which is not supported"
    } else {
        "the content is no audio format that is known"
    }
}

/// The length of an MPEG-1 layer II frame at the front of `data`.
fn layer2_frame_len(data: &[u8]) -> Option<usize> {
    const KILOBITS: [usize; 15] = [
        0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ];
    let &[0xFF, second, third, _] = data.first_chunk::<4>()? else {
        return None;
    };
    let kilobits = *KILOBITS.get(usize::from(third >> 4))?;
    let rate = *[44_100, 48_000, 32_000].get(usize::from((third >> 2) & 3))?;
    (second & 0xFE == 0xFC && kilobits > 0)
        .then(|| 144 * kilobits * 1000 / rate + usize::from((third >> 1) & 1))
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
        let layer2 = [&[0xFF, 0xFD, 0xA4, 0x00][..], &[0; 572]]
            .concat()
            .repeat(3);
        for (head, name) in [
            (&b"\r\n <!DOCTYPE html><html>"[..], "a web page"),
            (b"#EXTM3U\nhttp://a/", "a playlist"),
            (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9", "Windows Media"),
            (b"wvpk\0\0", "WavPack"),
            (b"RF64\xFF\xFF\xFF\xFFWAVE", "RF64"),
            (&layer2, "layer II"),
        ] {
            let error = recognise(head).expect_err("not playable");
            assert!(error.detail().contains(name), "{}", error.detail());
        }
    }
}
