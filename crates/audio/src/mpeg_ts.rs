//! The sound in an MPEG transport stream (ISO 13818-1), as HLS segments carry it: packets in, an
//! elementary stream out that can be played by itself.
//!
//! Pushed, not pulled, because the bytes come off a network in pieces of any size. What is held is one
//! packet and one section of tables at most.

/// Bytes of one packet.
const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// The longest section of program tables, in bytes.
const MAX_SECTION: usize = 1024;
const PAT_PID: u16 = 0;

/// What the elementary stream is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TsCodec {
    /// AAC frames in ADTS.
    Aac,
    /// MPEG audio.
    Mpeg,
}

/// Takes the first sound that can be played out of a transport stream.
#[derive(Debug, Default)]
pub struct TsAudio {
    packet: Vec<u8>,
    pat: Section,
    pmt: Section,
    pmt_pid: Option<u16>,
    stream: Option<(u16, TsCodec)>,
    refused: Option<&'static str>,
    pes: Pes,
}

/// Where in a packet of the elementary stream the next bytes lie.
#[derive(Debug, Default)]
enum Pes {
    /// Before the first beginning.
    #[default]
    Nothing,
    /// So many bytes of the header's fixed part are still wanted; collected so far.
    Header(Vec<u8>),
    /// So many bytes of the header are passed over.
    Skip(usize),
    Body,
}

/// A section of a table that may go over several packets.
#[derive(Debug, Default)]
struct Section {
    bytes: Vec<u8>,
    collecting: bool,
}

impl TsAudio {
    /// A demuxer at the beginning of a stream.
    pub fn new() -> TsAudio {
        TsAudio::default()
    }

    /// What the chosen stream is, once the tables were seen.
    pub fn codec(&self) -> Option<TsCodec> {
        self.stream.map(|(_, codec)| codec)
    }

    /// What sound there is, when none of it can be played.
    pub fn refused(&self) -> Option<&'static str> {
        self.refused.filter(|_| self.stream.is_none())
    }

    /// Takes the next bytes of the transport stream and hands on the sound in them, with its kind.
    ///
    /// Bytes between packets are passed over up to the next beginning of one.
    pub fn push(&mut self, mut bytes: &[u8], mut sound: impl FnMut(TsCodec, &[u8])) {
        while !bytes.is_empty() {
            if self.packet.is_empty() {
                match bytes.iter().position(|&byte| byte == SYNC) {
                    Some(skip) => bytes = &bytes[skip..],
                    None => return,
                }
            }
            let count = (PACKET - self.packet.len()).min(bytes.len());
            let (part, rest) = bytes.split_at(count);
            bytes = rest;
            if part.len() == PACKET {
                self.take_packet(part, &mut sound);
                continue;
            }
            self.packet.extend_from_slice(part);
            if self.packet.len() == PACKET {
                let packet = std::mem::take(&mut self.packet);
                self.take_packet(&packet, &mut sound);
                self.packet = packet;
                self.packet.clear();
            }
        }
    }

    fn take_packet(&mut self, packet: &[u8], sound: &mut impl FnMut(TsCodec, &[u8])) {
        let &[_, high, low, flags] = packet.first_chunk::<4>().unwrap_or(&[0; 4]);
        let pid = u16::from(high & 0x1F) << 8 | u16::from(low);
        let (error, starts) = (high & 0x80 != 0, high & 0x40 != 0);
        let (scrambled, adapted, filled) =
            (flags & 0xC0 != 0, flags & 0x20 != 0, flags & 0x10 != 0);
        if error || scrambled || !filled {
            return;
        }
        let adaptation = if adapted {
            1 + usize::from(packet[4])
        } else {
            0
        };
        let Some(payload) = packet.get(4 + adaptation..) else {
            return;
        };
        if pid == PAT_PID {
            if let Some(section) = self.pat.take(payload, starts) {
                self.pmt_pid = program(&section).or(self.pmt_pid);
            }
        } else if Some(pid) == self.pmt_pid {
            if let Some(section) = self.pmt.take(payload, starts) {
                self.choose(&section);
            }
        } else if let Some((_, codec)) = self.stream.filter(|(stream, _)| *stream == pid) {
            self.pes
                .take(payload, starts, &mut |bytes| sound(codec, bytes));
        }
    }

    /// Chooses the first stream of a program that can be played.
    fn choose(&mut self, section: &[u8]) {
        let Some(streams) = streams(section) else {
            return;
        };
        let mut refused = None;
        for (kind, pid) in streams {
            let codec = match kind {
                0x0F => TsCodec::Aac,
                0x03 | 0x04 => TsCodec::Mpeg,
                0x11 => {
                    refused = refused.or(Some("AAC in LATM"));
                    continue;
                }
                0x81 | 0xC1 => {
                    refused = refused.or(Some("AC-3"));
                    continue;
                }
                0x87 | 0xC2 => {
                    refused = refused.or(Some("Enhanced AC-3"));
                    continue;
                }
                0xCF => {
                    refused = refused.or(Some("encrypted AAC"));
                    continue;
                }
                _ => continue,
            };
            if self.stream != Some((pid, codec)) {
                self.stream = Some((pid, codec));
                self.pes = Pes::Nothing;
            }
            return;
        }
        self.stream = None;
        self.refused = refused.or(Some("nothing but pictures"));
    }
}

impl Pes {
    fn take(&mut self, mut payload: &[u8], starts: bool, sound: &mut impl FnMut(&[u8])) {
        /// `00 00 01`, stream id, length, two bytes of flags, and how many more header bytes follow.
        const FIXED: usize = 9;
        if starts {
            *self = Pes::Header(Vec::with_capacity(FIXED));
        }
        if let Pes::Header(header) = self {
            let count = (FIXED - header.len()).min(payload.len());
            header.extend_from_slice(&payload[..count]);
            payload = &payload[count..];
            if header.len() < FIXED {
                return;
            }
            // Anything else than a packet with such a header is no sound.
            let is_sound = header.starts_with(&[0, 0, 1]) && header[6] & 0xC0 == 0x80;
            *self = match is_sound {
                true => Pes::Skip(usize::from(header[8])),
                false => Pes::Nothing,
            };
        }
        if let Pes::Skip(left) = self {
            let count = (*left).min(payload.len());
            payload = &payload[count..];
            *left -= count;
            if *left == 0 {
                *self = Pes::Body;
            }
        }
        if matches!(self, Pes::Body) && !payload.is_empty() {
            sound(payload);
        }
    }
}

impl Section {
    /// Takes a packet's payload; gives the section once it is whole, without its checksum.
    fn take(&mut self, payload: &[u8], starts: bool) -> Option<Vec<u8>> {
        let mut payload = payload;
        if starts {
            let (&pointer, rest) = payload.split_first()?;
            payload = rest.get(usize::from(pointer)..)?;
            self.bytes.clear();
            self.collecting = true;
        }
        if !self.collecting {
            return None;
        }
        let room = MAX_SECTION - self.bytes.len();
        self.bytes
            .extend_from_slice(&payload[..payload.len().min(room)]);
        let &[_, high, low] = self.bytes.first_chunk::<3>()?;
        let len = 3 + (usize::from(high & 0x0F) << 8 | usize::from(low));
        let checksum = 4;
        if len > MAX_SECTION {
            self.collecting = false;
            return None;
        }
        let whole = self.bytes.get(..len)?;
        self.collecting = false;
        Some(whole.get(..len.checked_sub(checksum)?)?.to_vec())
    }
}

/// The table of the first program that a program association section names.
fn program(section: &[u8]) -> Option<u16> {
    let (&table, entries) = (section.first()?, section.get(8..)?);
    let entry = |entry: &[u8]| {
        let number = u16::from_be_bytes([entry[0], entry[1]]);
        let pid = u16::from_be_bytes([entry[2], entry[3]]) & 0x1FFF;
        (number != 0).then_some(pid)
    };
    entries
        .chunks_exact(4)
        .find_map(entry)
        .filter(|_| table == 0)
}

/// Type and PID of each stream in a program map section.
fn streams(section: &[u8]) -> Option<Vec<(u8, u16)>> {
    let length =
        |bytes: &[u8]| Some(usize::from(bytes.first()? & 0x0F) << 8 | usize::from(*bytes.get(1)?));
    if *section.first()? != 2 {
        return None;
    }
    let descriptors = length(section.get(10..)?)?;
    let mut rest = section.get(12 + descriptors..)?;
    let mut found = Vec::new();
    while let [kind, high, low, ..] = *rest {
        found.push((kind, u16::from_be_bytes([high, low]) & 0x1FFF));
        let Some(next) = length(&rest[3..]).and_then(|len| rest.get(5 + len..)) else {
            break;
        };
        rest = next;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One packet with this payload, filled up in front as muxers do it.
    fn packet(pid: u16, starts: bool, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![
            SYNC,
            (pid >> 8) as u8 | if starts { 0x40 } else { 0 },
            pid as u8,
        ];
        let spare = PACKET - 4 - payload.len();
        packet.push(if spare > 0 { 0x30 } else { 0x10 });
        if spare > 0 {
            packet.push(spare as u8 - 1);
            packet.resize(4 + spare, 0xFF);
        }
        packet.extend(payload);
        packet
    }

    fn section(table: u8, body: &[u8]) -> Vec<u8> {
        let len = 5 + body.len() + 4;
        let mut section = vec![
            0,
            table,
            0xB0 | (len >> 8) as u8,
            len as u8,
            0,
            1,
            0xC1,
            0,
            0,
        ];
        section.extend(body);
        section.extend([0; 4]);
        section
    }

    fn tables(streams: &[(u8, u16)]) -> Vec<u8> {
        let mut body = vec![0xE1, 0, 0xF0, 0];
        for &(kind, pid) in streams {
            body.extend([kind, 0xE0 | (pid >> 8) as u8, pid as u8, 0xF0, 2, 0x0A, 0]);
        }
        let pat = section(0, &[0, 0, 0xE0, 0x10, 0, 1, 0xF0, 0]);
        [
            packet(0, true, &pat),
            packet(0x1000, true, &section(2, &body)),
        ]
        .concat()
    }

    fn sound(pid: u16, bytes: &[u8]) -> Vec<u8> {
        let header = [0, 0, 1, 0xC0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1];
        packet(pid, true, &[&header[..], bytes].concat())
    }

    fn demux(bytes: &[u8], step: usize) -> (Vec<u8>, TsAudio) {
        let (mut ts, mut out) = (TsAudio::new(), Vec::new());
        for part in bytes.chunks(step) {
            ts.push(part, |_, bytes| out.extend_from_slice(bytes));
        }
        (out, ts)
    }

    #[test]
    fn the_first_sound_is_taken_however_the_bytes_are_cut() {
        let stream = [
            tables(&[(0x1B, 0x100), (0x0F, 0x101), (0x0F, 0x102)]),
            sound(0x100, b"picture"),
            sound(0x101, b"one "),
            packet(0x101, false, b"more "),
            sound(0x102, b"other"),
            b"garbage".to_vec(),
            sound(0x101, b"two"),
        ]
        .concat();
        for step in [1, 7, 187, 188, 189, 10_000] {
            let (out, ts) = demux(&stream, step);
            assert_eq!(out, b"one more two", "{step}");
            assert_eq!((ts.codec(), ts.refused()), (Some(TsCodec::Aac), None));
        }
    }

    #[test]
    fn a_header_that_goes_over_several_packets_is_passed_over() {
        let head = [0, 0, 1, 0xC0, 0, 0, 0x80, 0, 200];
        let stream = [
            tables(&[(0x03, 0x101)]),
            packet(0x101, true, &head[..5]),
            packet(0x101, false, &[&head[5..], &[1; 100][..]].concat()),
            packet(0x101, false, &[&[1; 100][..], b"sound"].concat()),
        ]
        .concat();
        let (out, ts) = demux(&stream, 100);
        assert_eq!((&out[..], ts.codec()), (&b"sound"[..], Some(TsCodec::Mpeg)));
    }

    #[test]
    fn sound_that_cannot_be_played_is_named() {
        for (kind, name) in [
            (0x81, "AC-3"),
            (0x11, "AAC in LATM"),
            (0x1B, "nothing but pictures"),
        ] {
            let (out, ts) = demux(&[tables(&[(kind, 0x101)]), sound(0x101, b"x")].concat(), 64);
            assert_eq!((ts.refused(), out.len()), (Some(name), 0));
        }
    }

    #[test]
    fn scrambled_and_broken_packets_are_left_out() {
        let mut scrambled = sound(0x101, b"secret");
        scrambled[3] |= 0x80;
        let mut broken = sound(0x101, b"broken");
        broken[1] |= 0x80;
        let mut empty = sound(0x101, b"empty");
        empty[4] = 255;
        let stream = [
            tables(&[(0x0F, 0x101)]),
            scrambled,
            broken,
            empty,
            sound(0x101, b"good"),
        ];
        assert_eq!(demux(&stream.concat(), 188).0, b"good");
    }
}
