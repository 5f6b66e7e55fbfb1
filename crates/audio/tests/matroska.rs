//! Matroska files with stripped packet headers and with padding to be discarded, written by hand.

mod support;

use cadenza_audio::{AudioErrorCode, OpenOptions};
use support::{Stream, fixture, listen, ogg_packets, open};

/// An element with a length of eight bytes.
fn element(id: u32, body: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = id
        .to_be_bytes()
        .into_iter()
        .skip_while(|&byte| byte == 0)
        .collect();
    out.extend((0x0100_0000_0000_0000 | body.len() as u64).to_be_bytes());
    out.extend(body);
    out
}

/// How the packets are stored.
enum Storage {
    Stripped(Vec<u8>),
    Zlib,
}

/// An Opus file of 20 ms packets whose last packet is to be cut by `discard_ns`.
fn matroska(packets: &[Vec<u8>], storage: &Storage, discard_ns: u32) -> Vec<u8> {
    let (method, settings) = match storage {
        Storage::Stripped(prefix) => (3, prefix.clone()),
        Storage::Zlib => (0, Vec::new()),
    };
    let compression = [element(0x4254, &[method]), element(0x4255, &settings)].concat();
    let encoding = [element(0x5033, &[0]), element(0x5034, &compression)].concat();
    let audio = [
        element(0xB5, &48_000_f32.to_be_bytes()),
        element(0x9F, &[2]),
    ]
    .concat();
    let entry = [
        element(0xD7, &[1]),
        element(0x73C5, &[1]),
        element(0x83, &[2]),
        element(0x86, b"A_OPUS"),
        element(0x63A2, b"OpusHead\x01\x02\0\0\x80\xBB\0\0\0\0\0"),
        element(0xE1, &audio),
        element(0x6D80, &element(0x6240, &encoding)),
    ]
    .concat();
    let mut cluster = element(0xE7, &[0]);
    for (index, packet) in packets.iter().enumerate() {
        let stored = match storage {
            Storage::Stripped(prefix) => packet.strip_prefix(prefix.as_slice()).expect("shared"),
            Storage::Zlib => packet,
        };
        let mut block = vec![0x81];
        block.extend((index as i16 * 20).to_be_bytes());
        block.push(0);
        block.extend(stored);
        let mut group = element(0xA1, &block);
        if index + 1 == packets.len() {
            group.extend(element(0x75A2, &discard_ns.to_be_bytes()));
        }
        cluster.extend(element(0xA0, &group));
    }
    let scale = element(0x2AD7B1, &1_000_000_u32.to_be_bytes());
    let info = [scale, element(0x4D80, b"test"), element(0x5741, b"test")].concat();
    let segment = [
        element(0x1549_A966, &info),
        element(0x1654_AE6B, &element(0xAE, &entry)),
        element(0x1F43_B675, &cluster),
    ]
    .concat();
    let doctype = element(0x4282, b"matroska");
    [
        element(0x1A45_DFA3, &doctype),
        element(0x1853_8067, &segment),
    ]
    .concat()
}

fn packets() -> Vec<Vec<u8>> {
    ogg_packets(&fixture("stereo-20ms.opus"))[2..].to_vec()
}

#[test]
fn stripped_headers_are_put_back() {
    let packets = packets();
    let prefix = packets[0][..1].to_vec();
    assert!(packets.iter().all(|packet| packet.starts_with(&prefix)));
    let bytes = matroska(&packets, &Storage::Stripped(prefix), 0);
    let mut track = open(&bytes, &OpenOptions::default()).expect("opens");
    assert_eq!(listen(&mut track).expect("plays").packets, packets);
    assert_eq!(track.seek(400).expect("seeks"), 400);
    assert_eq!(listen(&mut track).expect("plays").packets, packets[20..]);

    let source = Box::new(Stream(std::io::Cursor::new(bytes)));
    let hint = cadenza_audio::ProbeHint::default();
    let mut track =
        cadenza_audio::Track::open(source, &hint, &OpenOptions::default()).expect("opens");
    assert_eq!(listen(&mut track).expect("plays").packets, packets);
}

#[test]
fn padding_is_cut_from_the_end() {
    let packets = packets();
    let whole = packets.len() as u64 * 20;
    let prefix = Storage::Stripped(packets[0][..1].to_vec());
    for (discard_ns, end, count) in [
        (0, whole, packets.len()),
        (6_500_000, whole - 7, packets.len()),
        (20_000_000, whole - 20, packets.len() - 1),
        (u32::MAX / 4, whole - 20, packets.len() - 1),
    ] {
        let bytes = matroska(&packets, &prefix, discard_ns);
        let mut track = open(&bytes, &OpenOptions::default()).expect("opens");
        for _ in 0..2 {
            let heard = listen(&mut track).expect("plays");
            assert_eq!(heard.packets.len(), count, "{discard_ns} ns");
            assert_eq!(heard.positions.last(), Some(&end), "{discard_ns} ns");
            track.seek(0).expect("seeks");
        }
    }
}

#[test]
fn packets_that_cannot_be_unpacked_are_named() {
    let bytes = matroska(&packets(), &Storage::Zlib, 0);
    let error = open(&bytes, &OpenOptions::default())
        .map(drop)
        .expect_err("is refused");
    assert_eq!(error.code(), AudioErrorCode::UnsupportedCodec);
    assert!(error.detail().contains("compressed"), "{error}");
}
