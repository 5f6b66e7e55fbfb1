//! Playlists: M3U and PLS, which name sources, told apart from HLS, which is one.

/// The longest playlist that is read, in bytes.
pub const MAX_PLAYLIST_BYTES: usize = 2 << 20;
/// The most entries that are looked at.
pub const MAX_ENTRIES: usize = 64;
/// The longest address in a playlist, in bytes.
const MAX_ADDRESS: usize = 8 * 1024;

/// What a text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlaylistKind {
    /// HTTP Live Streaming: a source in segments, or a choice of such sources.
    Hls,
    /// A list of addresses, one a line.
    M3u,
    /// A list of addresses as `FileN=` in an INI file.
    Pls,
}

/// Whether a body that begins like `head` can be a playlist, by its own words or by its name.
///
/// `mime` and `extension` count only for texts: sound that is served under a wrong name still plays.
pub fn is_playlist(head: &[u8], mime: Option<&str>, extension: Option<&str>) -> bool {
    let text = without_mark(head);
    if starts_with(text, "#EXTM3U") || starts_with(text, "[playlist]") {
        return true;
    }
    let mime = mime.map(|mime| mime.split(';').next().unwrap_or_default().trim());
    let mime = mime.unwrap_or_default().to_ascii_lowercase();
    let named = matches!(
        mime.as_str(),
        "application/vnd.apple.mpegurl"
            | "application/x-mpegurl"
            | "application/mpegurl"
            | "audio/mpegurl"
            | "audio/x-mpegurl"
            | "audio/x-scpls"
            | "application/pls+xml"
    ) || matches!(extension, Some("m3u" | "m3u8" | "pls"));
    named && is_text(text)
}

/// What a whole playlist is.
pub fn kind(text: &[u8]) -> PlaylistKind {
    let text = without_mark(text);
    if starts_with(text, "[playlist]") {
        return PlaylistKind::Pls;
    }
    let is_hls = |line: &[u8]| starts_with(line, "#EXT-X-");
    if text.split(|&byte| byte == b'\n').any(is_hls) {
        PlaylistKind::Hls
    } else {
        PlaylistKind::M3u
    }
}

/// The addresses in an M3U or PLS playlist, in order, at most [`MAX_ENTRIES`].
pub fn entries(text: &[u8]) -> Vec<String> {
    let is_pls = kind(text) == PlaylistKind::Pls;
    let text = String::from_utf8_lossy(without_mark(text));
    let lines = text.split(['\n', '\r']).map(str::trim);
    let named = lines.filter_map(|line| {
        if is_pls {
            pls_file(line)
        } else {
            m3u_file(line)
        }
    });
    named
        .filter(|(_, address)| !address.is_empty() && address.len() <= MAX_ADDRESS)
        .take(MAX_ENTRIES)
        .map(|(_, address)| address.to_owned())
        .collect()
}

fn m3u_file(line: &str) -> Option<(u32, &str)> {
    (!line.starts_with('#')).then_some((0, line))
}

/// `File1=http://…`; the numbers are taken for what they nearly always are, the order of the lines.
fn pls_file(line: &str) -> Option<(u32, &str)> {
    let (key, value) = line.split_once('=')?;
    let (word, number) = key.trim().split_at_checked(4)?;
    let number = number.parse().ok()?;
    word.eq_ignore_ascii_case("file")
        .then_some((number, value.trim()))
}

fn without_mark(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    text.trim_ascii_start()
}

fn starts_with(text: &[u8], word: &str) -> bool {
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether nothing in it is a control character that no text has.
fn is_text(head: &[u8]) -> bool {
    let is_odd = |&byte: &u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C);
    !head.is_empty() && !head.iter().any(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlists_are_told_from_sound() {
        for (head, mime, extension, expected) in [
            (&b"#EXTM3U\n"[..], None, None, true),
            (b"\xEF\xBB\xBF#extm3u\n", None, None, true),
            (b"\r\n[Playlist]\r\n", Some("text/plain"), None, true),
            (
                b"http://a/b\n",
                Some("audio/x-mpegurl; charset=utf-8"),
                None,
                true,
            ),
            (b"http://a/b\n", Some("text/plain"), Some("m3u"), true),
            (b"http://a/b\n", Some("text/plain"), None, false),
            (
                b"\xFF\xFB\x90\x64\0\0",
                Some("audio/x-mpegurl"),
                Some("m3u8"),
                false,
            ),
            (
                b"OggS\0\x02",
                Some("application/vnd.apple.mpegurl"),
                None,
                false,
            ),
            (b"", Some("audio/x-scpls"), Some("pls"), false),
        ] {
            assert_eq!(
                is_playlist(head, mime, extension),
                expected,
                "{head:?} {mime:?}"
            );
        }
    }

    #[test]
    fn entries_are_found_in_order() {
        let m3u =
            b"\xEF\xBB\xBF#EXTM3U\r\n#EXTINF:-1,Radio\r\nhttp://a/1\r\n\r\n  sub/2.mp3 \r\n#x\n";
        assert_eq!(kind(m3u), PlaylistKind::M3u);
        assert_eq!(entries(m3u), ["http://a/1", "sub/2.mp3"]);
        let pls = b"[playlist]\nNumberOfEntries=2\nFile1=http://a/1\nTitle1=x\nfile2 = b\nFile=c\n";
        assert_eq!(kind(pls), PlaylistKind::Pls);
        assert_eq!(entries(pls), ["http://a/1", "b"]);
        let hls = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n";
        assert_eq!(kind(hls), PlaylistKind::Hls);
    }

    #[test]
    fn endless_lists_and_lines_are_cut() {
        let many = "http://a/b\n".repeat(100_000);
        assert_eq!(entries(many.as_bytes()).len(), MAX_ENTRIES);
        let long = format!("http://{}\nhttp://b\n", "a".repeat(100_000));
        assert_eq!(entries(long.as_bytes()), ["http://b"]);
        assert!(entries(b"[playlist]\n=\n\xC3\xA4\xC3\xB6=x\nFile99999999999=x\n").is_empty());
    }
}
