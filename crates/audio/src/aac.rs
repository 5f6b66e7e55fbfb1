//! Tells HE-AAC from AAC-LC: each has a decoder of its own, and that of the latter would play half of the former's sound.
//!
//! HE-AAC is AAC-LC at half the rate, with spectral band replication (SBR) in fill elements that an
//! AAC-LC decoder skips. Some containers name it in their configuration (ISO 14496-3, 1.6.5); others,
//! radio streams above all, leave it to the decoder to find the fill elements.

/// Packets that are looked at, and how many of them have to carry SBR. By chance one in sixty seems to.
const LOOKED_AT: u8 = 12;
const ENOUGH: u8 = 10;
/// Object types of SBR and of parametric stereo, which builds on it.
const SBR: u32 = 5;
const PARAMETRIC_STEREO: u32 = 29;
/// Object type of AAC-LC.
const LC: u8 = 2;
/// Identifiers of elements in a frame (ISO 14496-3, table 4.85).
const FILL: u32 = 6;
const END: u32 = 7;

/// Looks for SBR at the beginning of a stream.
#[derive(Debug, Default)]
pub(crate) struct SbrWatch {
    packets: u8,
    with_sbr: u8,
}

impl SbrWatch {
    /// Whether more packets are wanted to tell.
    pub(crate) fn looks(&self) -> bool {
        self.packets < LOOKED_AT && self.with_sbr < ENOUGH
    }

    /// Takes in a packet; `true` once it is clear that the stream is HE-AAC.
    pub(crate) fn sees_sbr(&mut self, packet: &[u8]) -> bool {
        if self.packets < LOOKED_AT {
            self.packets += 1;
            self.with_sbr += u8::from(ends_with_sbr(packet));
        }
        self.with_sbr >= ENOUGH
    }
}

/// The configuration of AAC-LC with this rate and number of channels, as a stream of ADTS leaves it out.
pub(crate) fn lc_config(rate: u32, channels: usize) -> Option<Vec<u8>> {
    /// By index (ISO 14496-3, table 1.18).
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    let rate = RATES.iter().position(|&known| known == rate)? as u8;
    let channels = match channels {
        1..=6 => channels as u8,
        8 => 7,
        _ => return None,
    };
    Some(vec![LC << 3 | rate >> 1, rate << 7 | channels << 3])
}

/// Whether an audio specific configuration announces SBR.
pub(crate) fn announces_sbr(config: &[u8]) -> bool {
    let mut bits = Bits {
        bytes: config,
        at: 0,
    };
    announced(&mut bits).unwrap_or(false)
}

fn announced(bits: &mut Bits<'_>) -> Option<bool> {
    let object_type = object_type(bits)?;
    if object_type == SBR || object_type == PARAMETRIC_STEREO {
        return Some(true);
    }
    if bits.take(4)? == 15 {
        bits.take(24)?;
    }
    let channels = bits.take(4)?;
    if object_type != 2 || channels == 0 {
        return Some(false);
    }
    bits.take(1)?;
    if bits.take(1)? == 1 {
        bits.take(14)?;
    }
    bits.take(1)?;
    // A configuration that older decoders understand, too, announces it at the end.
    let announced =
        bits.take(11)? == 0x2B7 && self::object_type(bits)? == SBR && bits.take(1)? == 1;
    Some(announced)
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(5)? {
        31 => Some(32 + bits.take(6)?),
        short => Some(short),
    }
}

/// Whether a frame ends with a fill element of SBR.
///
/// Where that element begins is known only after everything before it was decoded, but its length and
/// the end of the frame have to match: every place that fits is tried.
fn ends_with_sbr(frame: &[u8]) -> bool {
    // The longest fill element has 269 bytes, and few follow it.
    let first = (8 * frame.len()).saturating_sub(8 * 300);
    (first..8 * frame.len()).any(|at| sbr_to_the_end(Bits { bytes: frame, at }).unwrap_or(false))
}

fn sbr_to_the_end(mut bits: Bits<'_>) -> Option<bool> {
    if bits.take(3)? != FILL {
        return Some(false);
    }
    if !matches!(skip_fill(&mut bits)?, Some(13 | 14)) {
        return Some(false);
    }
    loop {
        match bits.take(3)? {
            END => return Some(bits.rest_is_padding()),
            FILL => skip_fill(&mut bits)?,
            _ => return Some(false),
        };
    }
}

/// Skips a fill element behind its identifier; returns its extension type if it has one.
fn skip_fill(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    let mut count = bits.take(4)? as usize;
    if count == 15 {
        count = (15 + bits.take(8)? as usize).checked_sub(1)?;
    }
    let end = bits.at + 8 * count;
    let extension = match count {
        0 => None,
        _ => Some(bits.take(4)?),
    };
    bits.at = end;
    (end <= 8 * bits.bytes.len()).then_some(extension)
}

/// Bits, most significant first.
#[derive(Clone, Copy)]
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for at in self.at..self.at + count {
            let byte = self.bytes.get(at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - at % 8) & 1);
        }
        self.at += count;
        Some(value)
    }

    /// Whether less than a byte is left, all zeros.
    fn rest_is_padding(mut self) -> bool {
        let left = 8 * self.bytes.len() - self.at;
        left < 8 && self.take(left) == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of zeros and ones, spaces between them.
    fn bits(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        let bytes = digits.chunks(8);
        bytes
            .map(|byte| {
                let value = byte
                    .iter()
                    .fold(0_u8, |value, bit| value << 1 | (bit - b'0'));
                value << (8 - byte.len())
            })
            .collect()
    }

    #[test]
    fn configurations_are_read() {
        // AAC-LC, 44.1 kHz, stereo.
        assert!(!announces_sbr(&[0x12, 0x10]));
        assert_eq!(lc_config(44_100, 2), Some(vec![0x12, 0x10]));
        assert_eq!(lc_config(44_101, 2), None);
        // SBR over LC, and parametric stereo.
        assert!(announces_sbr(&bits("00101 0111 0010 0100 00010 000")));
        assert!(announces_sbr(&bits("11101 0111 0001 0100 00010 000")));
        // LC with SBR announced behind, present and absent.
        assert!(announces_sbr(&bits(
            "00010 0111 0010 000 01010110111 00101 1 0100"
        )));
        assert!(!announces_sbr(&bits(
            "00010 0111 0010 000 01010110111 00101 0"
        )));
        for len in 0..4 {
            assert!(!announces_sbr(&[0; 4][..len]));
        }
    }

    #[test]
    fn fill_elements_at_the_end_are_found_wherever_they_begin() {
        for before in 0..16 {
            let before = "0".repeat(before);
            let sbr = format!("{before} 110 0010 1101 000000000000 111");
            assert!(ends_with_sbr(&bits(&sbr)), "{sbr}");
            let then_filled = format!("{before} 110 0001 1110 0000 110 0001 0000 0000 111");
            assert!(ends_with_sbr(&bits(&then_filled)), "{then_filled}");
            let filled = format!("{before} 110 0010 0000 000000000000 111");
            assert!(!ends_with_sbr(&bits(&filled)), "{filled}");
            let unended = format!("{before} 110 0010 1101 000000000000");
            assert!(!ends_with_sbr(&bits(&unended)), "{unended}");
        }
        let long = format!("110 1111 00010000 1101 {} 111", "0".repeat(8 * 30 - 4));
        assert!(ends_with_sbr(&bits(&long)));
    }

    #[test]
    fn noise_is_no_he_aac() {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for _ in 0..200 {
            let mut watch = SbrWatch::default();
            let seen = (0..20).any(|_| {
                let packet: Vec<u8> = (0..300).map(|_| noise()).collect();
                watch.sees_sbr(&packet)
            });
            assert!(!seen);
        }
    }
}
