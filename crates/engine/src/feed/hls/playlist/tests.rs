//! What HLS playlists say, and what nonsense in them comes to.

use super::*;

fn media(text: &str) -> Media {
    match parse(text.as_bytes()) {
        Ok(Hls::Media(media)) => media,
        other => panic!("{other:?}"),
    }
}

#[test]
fn reads_segments_and_what_is_said_about_them() {
    let media = media(
        "\u{FEFF}#EXTM3U\r\n#EXT-X-VERSION:7\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MEDIA-SEQUENCE:7\r\n\
         #EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"700@0\"\r\n#EXTINF:3.9,title, with comma\r\na.m4s\r\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k,1\",IV=0x0000000000000000000000000000000A\r\n\
         #EXT-X-BYTERANGE:100@50\r\n#EXTINF:4\r\nb.m4s\r\n#EXT-X-BYTERANGE:20\r\n#EXTINF:4,\r\nb.m4s\r\n\
         #EXT-X-KEY:METHOD=NONE\r\n#EXT-X-DISCONTINUITY\r\n#EXT-X-GAP\r\n#EXTINF:1,\r\nc.m4s\r\n#EXT-X-ENDLIST\r\n",
    );
    assert_eq!(
        (media.sequence, media.target_us, media.ended),
        (7, 4_000_000, true)
    );
    assert_eq!((media.total_us(), media.end()), (12_900_000, 11));
    let [a, b, b2, c] = &media.segments[..] else {
        panic!("{:?}", media.segments);
    };
    assert_eq!(
        (a.uri.as_str(), &a.encryption, a.range),
        ("a.m4s", &Encryption::None, None)
    );
    let map = a.map.as_ref().expect("a map");
    assert_eq!(
        map.range,
        Some(ByteRange {
            offset: 0,
            len: 700
        })
    );
    let Encryption::Aes128(key) = &b.encryption else {
        panic!("{:?}", b.encryption);
    };
    assert_eq!(
        (key.uri.as_str(), key.iv.map(u128::from_be_bytes)),
        ("k,1", Some(10))
    );
    assert_eq!(
        b.range,
        Some(ByteRange {
            offset: 50,
            len: 100
        })
    );
    assert_eq!(
        b2.range,
        Some(ByteRange {
            offset: 150,
            len: 20
        })
    );
    assert_eq!(
        (&c.encryption, c.discontinuity, c.gap),
        (&Encryption::None, true, true)
    );
    assert_eq!(media.segment(10), Some(c));
    assert!(media.segment(6).is_none() && media.segment(11).is_none());
}

#[test]
fn reads_a_choice() {
    let text = b"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",DEFAULT=YES,URI=\"a.m3u8\"\n\
                 #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"x\",URI=\"s.m3u8\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS=\"mp4a.40.2,avc1\",AUDIO=\"a\",RESOLUTION=1x1\n\nv.m3u8\n";
    let Ok(Hls::Master(master)) = parse(text) else {
        panic!("no choice");
    };
    let variant = Variant {
        uri: "v.m3u8".into(),
        bandwidth: 128_000,
        codecs: Some("mp4a.40.2,avc1".into()),
        audio: Some("a".into()),
        pictures: true,
    };
    assert_eq!(master.variants, [variant]);
    let rendition = Rendition {
        group: "a".into(),
        uri: Some("a.m3u8".into()),
        default: true,
    };
    assert_eq!(master.renditions, [rendition]);
}

#[test]
fn locks_without_a_key_are_named() {
    for (lines, expected) in [
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"",
            Encryption::Other("SAMPLE-AES".into()),
        ),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"com.x\"",
            Encryption::Other("com.x".into()),
        ),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"s\",KEYFORMAT=\"com.x\"",
            Encryption::Aes128(Arc::new(Key {
                uri: "k".into(),
                iv: None,
            })),
        ),
    ] {
        let media = media(&format!("#EXTM3U\n{lines}\n#EXTINF:1,\na\n"));
        assert_eq!(media.segments[0].encryption, expected);
    }
}

#[test]
fn nonsense_is_bounded() {
    assert!(parse(b"#EXTM3U\n").is_err() && parse(b"").is_err());
    let many = format!("#EXTM3U\n{}", "#EXTINF:1,\na\n".repeat(MAX_SEGMENTS + 1));
    assert!(parse(many.as_bytes()).is_err());
    let odd = media(
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:99999999999999999999\n#EXT-X-BYTERANGE:18446744073709551615@9\n\
         #EXTINF:-5,\na\n#EXTINF:inf,\nb\n#EXTINF:NaN,\nc\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0xZZ\n#EXTINF\nd\n",
    );
    let lengths: Vec<u64> = odd
        .segments
        .iter()
        .map(|segment| segment.duration_us)
        .collect();
    assert_eq!(lengths, [0, 3_600_000_000, 0, 0]);
    assert_eq!(odd.segments[0].range, None);
}
