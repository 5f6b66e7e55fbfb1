//! Which variant of an HLS source is played: good sound first, and as few pictures with it as can be.

use super::playlist::{Master, Variant};

/// More bits per second than this are not worth it for sound that a voice channel plays.
const ENOUGH: u64 = 400_000;
/// The most lists that are tried.
const MAX_TRIES: usize = 4;

/// The addresses of lists of segments, the best first; the others are for when it fails.
pub fn choices(master: &Master) -> Vec<String> {
    let mut ranked: Vec<(Rank, String)> = Vec::new();
    for variant in &master.variants {
        ranked.push((rank(variant, false), variant.uri.clone()));
        let group = variant.audio.as_deref();
        let renditions = master.renditions.iter();
        for rendition in renditions.filter(|rendition| Some(rendition.group.as_str()) == group) {
            if let Some(uri) = &rendition.uri {
                let mut rank = rank(variant, true);
                rank.second_choice = !rendition.default;
                ranked.push((rank, uri.clone()));
            }
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut found: Vec<String> = Vec::new();
    for (_, uri) in ranked {
        if !found.contains(&uri) && found.len() < MAX_TRIES {
            found.push(uri);
        }
    }
    found
}

/// What counts, the most important first; less is better.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Rank {
    sound: Sound,
    shape: Shape,
    second_choice: bool,
    /// Of pictures as few as there are, of sound as much as is heard.
    cost: u64,
}

/// What lies in the segments.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Shape {
    /// Sound that goes with pictures elsewhere.
    Rendition,
    SoundOnly,
    WithPictures,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Sound {
    Playable,
    Unknown,
    NotPlayable,
}

fn rank(variant: &Variant, is_rendition: bool) -> Rank {
    let codecs = variant.codecs.as_deref();
    let bits = variant.bandwidth;
    let (shape, cost) = if is_rendition {
        // Variants of more bits refer to better sound.
        (Shape::Rendition, u64::MAX - bits)
    } else if variant.pictures || has_pictures(codecs) {
        (Shape::WithPictures, bits)
    } else if bits <= ENOUGH {
        (Shape::SoundOnly, ENOUGH - bits)
    } else {
        (Shape::SoundOnly, bits)
    };
    Rank {
        sound: sound(codecs),
        shape,
        second_choice: false,
        cost,
    }
}

fn sound(codecs: Option<&str>) -> Sound {
    let Some(codecs) = codecs else {
        return Sound::Unknown;
    };
    let mut known = Sound::Unknown;
    for codec in codecs.split(',').map(str::trim) {
        let codec = codec.to_ascii_lowercase();
        match codec.as_str() {
            "mp4a.40.2" | "mp4a.40.5" | "mp4a.40.29" | "mp4a.40.34" | "mp4a.69" | "mp4a.6b"
            | "mp3" | "opus" | "flac" | "alac" => {
                return Sound::Playable;
            }
            "ac-3" | "ec-3" | "ac-4" => known = Sound::NotPlayable,
            name if name.starts_with("mp4a") => known = Sound::NotPlayable,
            _ => {}
        }
    }
    known
}

fn has_pictures(codecs: Option<&str>) -> bool {
    const PICTURES: [&str; 8] = ["avc", "hvc", "hev", "dvh", "vp0", "vp8", "vp9", "av01"];
    let mut codecs = codecs.unwrap_or_default().split(',').map(str::trim);
    codecs.any(|codec| PICTURES.iter().any(|name| codec.starts_with(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::hls::playlist::Rendition;

    fn variant(uri: &str, bandwidth: u64, codecs: &str) -> Variant {
        Variant {
            uri: uri.into(),
            bandwidth,
            codecs: Some(codecs.into()).filter(|codecs: &String| !codecs.is_empty()),
            ..Variant::default()
        }
    }

    fn check(variants: &[Variant], expected: &[&str]) {
        let master = Master {
            variants: variants.to_vec(),
            renditions: Vec::new(),
        };
        assert_eq!(choices(&master), expected);
    }

    #[test]
    fn the_best_sound_that_is_worth_it_is_chosen() {
        check(
            &[
                variant("low", 64_000, "mp4a.40.2"),
                variant("high", 320_000, "mp4a.40.2"),
                variant("lossless", 2_000_000, "fLaC"),
                variant("he", 96_000, "mp4a.40.5"),
                variant("usac", 350_000, "mp4a.40.42"),
            ],
            &["high", "he", "low", "lossless"],
        );
    }

    #[test]
    fn pictures_are_avoided_and_small_ones_preferred() {
        check(
            &[
                variant("1080p", 5_000_000, "avc1.640028,mp4a.40.2"),
                variant("240p", 300_000, "avc1.42c00d,mp4a.40.2"),
                variant("radio", 64_000, "mp4a.40.5"),
            ],
            &["radio", "240p", "1080p"],
        );
        check(
            &[
                variant("usac", 64_000, "mp4a.40.42"),
                variant("240p", 300_000, "avc1.42c00d,mp4a.40.2"),
            ],
            &["240p", "usac"],
        );
    }

    #[test]
    fn sound_of_its_own_is_preferred() {
        let group = |name: &str| Some(name.to_owned());
        let pictures = Variant {
            audio: group("a"),
            ..variant("v", 900_000, "avc1.4d401e,mp4a.40.2")
        };
        let rendition = |group: &str, uri: &str, default| Rendition {
            group: group.into(),
            uri: Some(uri.into()),
            default,
        };
        let master = Master {
            variants: vec![pictures],
            renditions: vec![
                rendition("a", "german", false),
                rendition("a", "english", true),
                rendition("b", "other", true),
            ],
        };
        assert_eq!(choices(&master), ["english", "german", "v"]);
    }

    #[test]
    fn what_says_nothing_is_tried_before_what_cannot_be_played() {
        check(
            &[
                variant("ac3", 400_000, "ac-3"),
                variant("plain", 128_000, ""),
            ],
            &["plain", "ac3"],
        );
        check(&[variant("same", 1, ""), variant("same", 2, "")], &["same"]);
    }
}
