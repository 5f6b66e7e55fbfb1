//! Ogg Opus files (RFC 3533, RFC 7845), written packet by packet; silence is written as silence.

use crate::opus::packet_samples;

/// Packets on one page: a second of sound.
const PACKETS_PER_PAGE: usize = 50;
/// Segments on one page.
const MAX_SEGMENTS: usize = 255;
const SEGMENT: usize = 255;
/// The lengths of silence frames and their first bytes: CELT fullband, mono.
const FILLERS: [(u64, u8); 4] = [(960, 0xF8), (480, 0xF0), (240, 0xE8), (120, 0xE0)];
const POLYNOMIAL: u32 = 0x04C1_1DB7;
const CRC_TABLE: [u32; 256] = crc_table();
const BEGINS: u8 = 0x02;
const ENDS: u8 = 0x04;

/// Makes the bytes of one file with one stream of Opus packets.
///
/// Every method appends to `out`, which the caller writes away.
#[derive(Debug)]
pub struct OggOpusWriter {
    serial: u32,
    sequence: u32,
    /// Samples at 48 kHz of all packets so far.
    granule: u64,
    /// Silence that was too short for a packet.
    owed: u64,
    lacing: Vec<u8>,
    body: Vec<u8>,
    packets: usize,
}

impl OggOpusWriter {
    /// Begins a file: writes both header packets. `channels` is what players show, 1 or 2.
    pub fn new(serial: u32, channels: u8, out: &mut Vec<u8>) -> OggOpusWriter {
        let mut writer = OggOpusWriter {
            serial,
            sequence: 0,
            granule: 0,
            owed: 0,
            lacing: Vec::new(),
            body: Vec::new(),
            packets: 0,
        };
        // No pre-skip: the recording begins with the first packet, and its clock with it.
        let mut head = b"OpusHead\x01".to_vec();
        head.push(channels.clamp(1, 2));
        head.extend([0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0]);
        writer.push(&head);
        writer.flush(BEGINS, out);
        let mut tags = b"OpusTags".to_vec();
        let vendor = b"cadenza";
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend(0_u32.to_le_bytes());
        writer.push(&tags);
        writer.flush(0, out);
        writer
    }

    /// Samples at 48 kHz so far, silence that is owed included.
    pub fn samples(&self) -> u64 {
        self.granule + self.owed
    }

    /// Adds a packet; what is no Opus packet is left out. Returns whether it was taken.
    pub fn packet(&mut self, packet: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(samples) = packet_samples(packet) else {
            return false;
        };
        if packet.len() >= MAX_SEGMENTS * SEGMENT {
            return false;
        }
        self.add(packet, samples as u64, out);
        true
    }

    /// Adds a stretch without sound. What is shorter than 2.5 ms is kept for the next one.
    pub fn silence(&mut self, samples: u64, out: &mut Vec<u8>) {
        self.owed += samples;
        for (length, toc) in FILLERS {
            while self.owed >= length {
                self.owed -= length;
                self.add(&[toc, 0xFF, 0xFE], length, out);
            }
        }
    }

    /// Writes what has not been written yet, so that the file is whole up to here.
    pub fn sync(&mut self, out: &mut Vec<u8>) {
        if self.packets > 0 {
            self.flush(0, out);
        }
    }

    /// Ends the file.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.flush(ENDS, out);
    }

    fn add(&mut self, packet: &[u8], samples: u64, out: &mut Vec<u8>) {
        let segments = packet.len() / SEGMENT + 1;
        if self.packets >= PACKETS_PER_PAGE || self.lacing.len() + segments > MAX_SEGMENTS {
            self.flush(0, out);
        }
        self.push(packet);
        self.granule += samples;
    }

    /// Packets never span pages: the longest that is taken has fewer than 255 segments.
    fn push(&mut self, packet: &[u8]) {
        let full = packet.len() / SEGMENT;
        self.lacing.extend(std::iter::repeat_n(SEGMENT as u8, full));
        self.lacing.push((packet.len() % SEGMENT) as u8);
        self.body.extend_from_slice(packet);
        self.packets += 1;
    }

    fn flush(&mut self, flags: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(b"OggS\0");
        out.push(flags);
        out.extend(self.granule.to_le_bytes());
        out.extend(self.serial.to_le_bytes());
        out.extend(self.sequence.to_le_bytes());
        out.extend([0; 4]);
        out.push(self.lacing.len() as u8);
        out.append(&mut self.lacing);
        out.append(&mut self.body);
        let checksum = crc(&out[start..]);
        out[start + 22..start + 26].copy_from_slice(&checksum.to_le_bytes());
        self.sequence += 1;
        self.packets = 0;
    }
}

fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc: u32, byte| {
        (crc << 8) ^ CRC_TABLE[usize::from((crc >> 24) as u8 ^ byte)]
    })
}

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 0x8000_0000 != 0 {
                (value << 1) ^ POLYNOMIAL
            } else {
                value << 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}
