//! Files that lie, end early, are random or are something else: a stable code, no panic, little memory.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicUsize, Ordering};

use cadenza_audio::{AudioErrorCode, ByteSource, MAX_OPUS_FRAME, OpenOptions, ProbeHint, Track};
use proptest::prelude::*;
use support::{
    fixture, listen, music, music_packets, ogg_opus, ogg_page, open, play, wav, wav_header,
};

/// Counts the largest single allocation.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator unchanged.
#[expect(unsafe_code, reason = "an allocator is written in unsafe code")]
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// No single allocation may reach this, whatever a file claims.
const MEMORY: usize = 24 << 20;

const FIXTURES: [&str; 35] = [
    "he-stereo-44100.aac",
    "he-stereo-44100.m4a",
    "he-v2-44100.aac",
    "mono-32000-64bit.wav",
    "mono-32000-ima.wav",
    "mono-32000-ms.wav",
    "mono-32000-pcm.caf",
    "mono-44100.caf",
    "stereo-44100.ts",
    "stereo-48000-layer2.ts",
    "stereo-48000.mp2",
    "mono-44100-alac.m4a",
    "mono-44100.aiff",
    "mono-48000.oga",
    "stereo-44100-fragmented.mp4",
    "stereo-44100.aac",
    "surround.opus",
    "surround.webm",
    "mono-20ms.mka",
    "mono-20ms.opus",
    "mono-44100.flac",
    "mono-48000.mp3",
    "mono-48000.ogg",
    "mono-60ms-voice.opus",
    "stereo-10ms.opus",
    "stereo-20ms.mp4",
    "stereo-20ms.opus",
    "stereo-20ms.webm",
    "stereo-44100.m4a",
    "stereo-44100.mp3",
    "stereo-44100.ogg",
    "stereo-48000-faststart.m4a",
    "stereo-48000.flac",
    "stereo-60ms.opus",
    "stereo-vorbis.webm",
];

/// Opens, plays, seeks and plays on, as far as that goes; the end has to come.
fn exercise(bytes: &[u8]) {
    let Ok(mut track) = open(bytes, &OpenOptions::default()) else {
        return;
    };
    let _ = listen(&mut track);
    for place in [500, 0, 100_000] {
        if track.seek(place).is_ok() {
            let _ = listen(&mut track);
        }
    }
    assert!(
        LARGEST.load(Ordering::Relaxed) < MEMORY,
        "memory grew with a claim"
    );
}

fn check_refused(bytes: &[u8], codes: &[AudioErrorCode]) {
    let error = play(bytes, &OpenOptions::default()).map(|heard| heard.packets.len());
    let error = error.expect_err("refused");
    assert!(codes.contains(&error.code()), "{error} ({})", error.code());
    assert!(!error.detail().is_empty() && !error.format().is_empty());
    assert!(
        LARGEST.load(Ordering::Relaxed) < MEMORY,
        "memory grew with a claim"
    );
}

#[test]
fn nothing_and_next_to_nothing() {
    check_refused(b"", &[AudioErrorCode::EmptySource]);
    check_refused(&wav(48_000, 2, &[]), &[AudioErrorCode::EmptySource]);
    for len in 1..12 {
        check_refused(&vec![0; len], &[AudioErrorCode::UnsupportedFormat]);
    }
    for magic in [
        &b"OggS"[..],
        b"fLaC",
        b"RIFF\0\0\0\0WAVE",
        b"\x1A\x45\xDF\xA3",
        b"\0\0\0\x18ftypM4A ",
    ] {
        check_refused(
            magic,
            &[AudioErrorCode::MalformedMedia, AudioErrorCode::EmptySource],
        );
    }
}

#[test]
fn other_peoples_formats() {
    for head in [
        &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
        b"%PDF-1.7",
        b"<html><body>404</body></html>",
    ] {
        let bytes = [head, &[b' '; 5_000]].concat();
        check_refused(&bytes, &[AudioErrorCode::UnsupportedFormat]);
    }
}

#[test]
fn every_truncation_ends_in_peace() {
    for name in FIXTURES {
        let bytes = fixture(name);
        for part in [1, 2, 5, 10, 25, 50, 90, 99] {
            exercise(&bytes[..bytes.len() * part / 100]);
        }
        check_refused(
            &bytes[..20],
            &[
                AudioErrorCode::MalformedMedia,
                AudioErrorCode::UnsupportedFormat,
            ],
        );
    }
}

#[test]
fn a_truncated_song_plays_up_to_where_it_ends() {
    for name in [
        "stereo-44100.mp3",
        "stereo-44100.ogg",
        "stereo-20ms.opus",
        "stereo-20ms.webm",
    ] {
        let bytes = fixture(name);
        let whole = play(&bytes, &OpenOptions::default())
            .expect(name)
            .packets
            .len();
        let half = play(&bytes[..bytes.len() / 2], &OpenOptions::default())
            .expect(name)
            .packets
            .len();
        assert!(
            half > whole / 4 && half < whole * 3 / 4,
            "{name}: {half} of {whole}"
        );
    }
}

#[test]
fn a_flac_that_claims_more_samples_than_there_can_be() {
    let mut bytes = fixture("stereo-48000.flac");
    // STREAMINFO: the sample count is 36 bits from the middle of byte 21.
    bytes[21] |= 0x0F;
    bytes[22..26].fill(0xFF);
    let mut track = open(&bytes, &OpenOptions::default()).expect("opens");
    assert_eq!(track.info().duration_ms, None);
    assert_eq!(listen(&mut track).expect("plays").packets.len(), 21);
    let end = track.seek(u64::MAX / 2);
    assert!(end.is_ok() && listen(&mut track).expect("is over").packets.is_empty());
}

#[test]
fn a_wav_that_claims_four_gigabytes() {
    let samples = wav(48_000, 2, &music(48_000, 0.5)).split_off(44);
    for claim in [u32::MAX, u32::MAX - 36, 0x7FFF_FFFF] {
        let bytes = [wav_header(48_000, 2, claim), samples.clone()].concat();
        let mut track = open(&bytes, &OpenOptions::default()).expect("opens");
        assert_eq!(track.info().duration_ms, None, "a length of hours in 96 kB");
        assert_eq!(listen(&mut track).expect("plays").packets.len(), 26);
    }
}

#[test]
fn shapes_out_of_range() {
    let samples = [0_u8; 4_000];
    for (rate, channels) in [
        (0, 2),
        (1, 2),
        (4_000_000_000, 2),
        (48_000, 0),
        (48_000, 60_000),
    ] {
        let mut bytes = wav_header(48_000, 2, 4_000);
        bytes[24..28].copy_from_slice(&u32::to_le_bytes(rate));
        bytes[22..24].copy_from_slice(&u16::to_le_bytes(channels));
        check_refused(
            &[bytes, samples.to_vec()].concat(),
            &[
                AudioErrorCode::MalformedMedia,
                AudioErrorCode::LimitExceeded,
                AudioErrorCode::UnsupportedCodec,
                AudioErrorCode::EmptySource,
            ],
        );
    }
}

#[test]
fn pictures_of_hundreds_of_megabytes() {
    // ID3v2 in front of an MP3: 256 MB claimed.
    let tag = [&b"ID3\x04\0\0\x7F\x7F\x7F\x7F"[..], &[0; 1_000]].concat();
    check_refused(
        &[tag, fixture("stereo-44100.mp3")].concat(),
        &[AudioErrorCode::MalformedMedia],
    );
    // A FLAC picture block of 16 MB, the most its header can say.
    let flac = fixture("stereo-48000.flac");
    let bytes = [&flac[..42], &[0x06, 0xFF, 0xFF, 0xFF], &[0; 500][..]].concat();
    check_refused(
        &bytes,
        &[AudioErrorCode::MalformedMedia, AudioErrorCode::EmptySource],
    );
    // An MP4 whose `moov` claims 3 GB.
    let mut mp4 = fixture("stereo-48000-faststart.m4a");
    let moov = mp4
        .windows(4)
        .position(|bytes| bytes == b"moov")
        .expect("has one")
        - 4;
    mp4[moov..moov + 4].copy_from_slice(&0xC000_0000_u32.to_be_bytes());
    exercise(&mp4);
    // A real tag in front of a real song is passed over.
    let tag = [&b"ID3\x04\0\0\0\x01\0\0"[..], &[0; 16_384]].concat();
    assert!(
        play(
            &[tag, fixture("stereo-44100.mp3")].concat(),
            &OpenOptions::default()
        )
        .is_ok()
    );
}

/// An endless source: a beginning, then zeros for ever.
struct Endless {
    head: Vec<u8>,
    at: u64,
    read: u64,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        for byte in out.iter_mut() {
            *byte = self.head.get(self.at as usize).copied().unwrap_or(0);
            self.at += 1;
        }
        self.read += out.len() as u64;
        assert!(self.read < 512 << 20, "half a gigabyte was read");
        Ok(out.len())
    }
}

impl Seek for Endless {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl ByteSource for Endless {
    fn is_seekable(&self) -> bool {
        false
    }

    fn byte_len(&self) -> Option<u64> {
        None
    }
}

#[test]
fn endless_garbage_is_given_up() {
    let ogg = ogg_opus(1, &music_packets(0.0, 3), 960, 3);
    let without_end = ogg[..ogg.len() - 1].to_vec();
    for head in [
        without_end,
        fixture("stereo-44100.mp3")[..5_000].to_vec(),
        fixture("stereo-48000.flac")[..9_000].to_vec(),
    ] {
        let source = Box::new(Endless {
            head,
            at: 0,
            read: 0,
        });
        let opened = Track::open(source, &ProbeHint::default(), &OpenOptions::default());
        if let Ok(mut track) = opened {
            let error = listen(&mut track).map(|heard| heard.packets.len());
            let code = error.expect_err("ends in an error").code();
            let known = [
                AudioErrorCode::MalformedMedia,
                AudioErrorCode::LimitExceeded,
            ];
            assert!(known.contains(&code), "{code}");
        }
    }
}

#[test]
fn a_broken_source_is_named() {
    struct Broken(Cursor<Vec<u8>>);
    impl Read for Broken {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.position() > 20_000 {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let room = out.len().min(4_096);
            self.0.read(&mut out[..room])
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    impl ByteSource for Broken {
        fn is_seekable(&self) -> bool {
            true
        }
        fn byte_len(&self) -> Option<u64> {
            Some(self.0.get_ref().len() as u64)
        }
    }
    for name in FIXTURES {
        let bytes = fixture(name);
        if bytes.len() < 26_000 {
            continue;
        }
        let source = Box::new(Broken(Cursor::new(bytes)));
        let opened = Track::open(source, &ProbeHint::default(), &OpenOptions::default());
        let error = match opened.and_then(|mut track| listen(&mut track)) {
            Ok(_) => panic!("{name}: played over a broken source"),
            Err(error) => error,
        };
        assert_eq!(error.code(), AudioErrorCode::ReadFailed, "{name}: {error}");
    }
}

#[test]
fn nothing_follows_an_error() {
    let packets: Vec<Vec<u8>> = (0..100).map(|_| vec![0xFB, 0]).collect();
    let mut track = open(&ogg_opus(1, &packets, 960, 10), &OpenOptions::default());
    if let Ok(track) = &mut track {
        let mut out = [0; MAX_OPUS_FRAME];
        let error = track.next_frame(&mut out).expect_err("only bad packets");
        assert_eq!(error.code(), AudioErrorCode::MalformedMedia);
        assert_eq!(track.next_frame(&mut out).expect("over"), None);
    }
}

#[test]
fn some_bad_packets_are_skipped() {
    let mut packets = music_packets(0.0, 60);
    for packet in &mut packets[20..30] {
        *packet = vec![0xFB, 0];
    }
    let heard = play(&ogg_opus(1, &packets, 960, 60), &OpenOptions::default()).expect("plays");
    assert_eq!(heard.packets.len(), 50);
}

#[test]
fn an_impossible_surround_mapping_is_named() {
    let head =
        b"OpusHead\x01\x06\x38\x01\x80\xBB\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x09".to_vec();
    let bytes = [
        ogg_page(1, 0, 2, 0, &[head]),
        ogg_page(1, 1, 0, 0, &[b"OpusTags".to_vec()]),
    ]
    .concat();
    check_refused(&bytes, &[AudioErrorCode::UnsupportedCodec]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_bytes_never_panic(magic in 0..12_usize, bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
        let magics: [&[u8]; 12] = [
            b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20",
            b"RF64\xFF\xFF\xFF\xFFWAVEds64\x1C\0\0\0",
            b"RIFF\xFF\xFF\xFF\0WAVEfmt \x14\0\0\0\x11\0",
            b"FORM\0\0\x10\0AIFFCOMM",
            b"", b"OggS\0\x02", b"fLaC\0\0\0\x22", b"RIFF\xFF\xFF\xFF\0WAVEfmt \x10\0\0\0\x01\0",
            b"\x1A\x45\xDF\xA3", b"\0\0\0\x14ftypM4A \0\0\0\0isom", b"\xFF\xFB\x90\x64", b"\xFF\xF1\x50\x80",
        ];
        exercise(&[magics[magic], &bytes].concat());
    }

    #[test]
    fn mutated_files_never_panic(
        file in 0..FIXTURES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        headers in any::<bool>(),
    ) {
        let mut bytes = fixture(FIXTURES[file]);
        // Headers are where lies do most; a change anywhere else mostly hits sound.
        let range = if headers { bytes.len().min(600) } else { bytes.len() };
        for (at, value) in changes {
            bytes[at.index(range)] = value;
        }
        exercise(&bytes);
    }

    #[test]
    fn transport_streams_never_panic(
        packets in prop::collection::vec((0..4_u16, any::<u8>(), prop::collection::vec(any::<u8>(), 0..200)), 0..30),
        step in 1..400_usize,
    ) {
        // Tables that name PID 2 as the program's and 3 as AAC, then anything on these.
        let mut bytes = Vec::new();
        let pat = [0, 0, 0xB0, 13, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0, 2, 0, 0, 0, 0];
        let pmt = [0, 2, 0xB0, 18, 0, 1, 0xC1, 0, 0, 0xE0, 3, 0xF0, 0, 0x0F, 0xE0, 3, 0xF0, 0, 0, 0, 0, 0];
        for (pid, flags, payload) in [(0, 0x10, pat.to_vec()), (2, 0x10, pmt.to_vec())].into_iter().chain(packets) {
            bytes.extend([0x47, 0x40 * (flags & 1 ^ 1), pid as u8, flags]);
            bytes.extend(payload.into_iter().chain(std::iter::repeat(0xFF)).take(184));
        }
        let mut ts = cadenza_audio::mpeg_ts::TsAudio::new();
        let mut sound = 0;
        for part in bytes.chunks(step) {
            ts.push(part, |_, bytes| sound += bytes.len());
        }
        prop_assert!(sound <= bytes.len());
    }

    #[test]
    fn pages_with_good_checksums_never_panic(
        pages in prop::collection::vec(
            (0..3_u32, 0..8_u32, any::<i64>(), prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)),
            1..12,
        ),
    ) {
        let mut bytes = ogg_opus(1, &music_packets(0.0, 2), 960, 1);
        for (serial, flags, granule, packets) in pages {
            bytes.extend(ogg_page(serial, 9, flags as u8, granule >> (flags * 8), &packets));
        }
        exercise(&bytes);
    }
}
