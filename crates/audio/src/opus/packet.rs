//! Opus packets without decoding: the TOC byte, the frames inside, the duration (RFC 6716, section 3).

use crate::MAX_OPUS_FRAME;

use super::MAX_PACKET_SAMPLES;

const MAX_FRAMES: usize = 48;

/// Why bytes are not an Opus packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PacketError {
    /// The packet has no bytes.
    #[error("opus packet: empty")]
    Empty,
    /// A frame would be longer than 1275 bytes.
    #[error("opus packet: a frame is longer than 1275 bytes")]
    FrameTooLong,
    /// The lengths inside do not fit the packet.
    #[error("opus packet: the lengths do not fit")]
    Lengths,
    /// No frames, or more than 120 ms of them.
    #[error("opus packet: bad number of frames")]
    FrameCount,
}

/// The first byte of a packet: mode, bandwidth, frame size, channels and the frame packing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Toc(pub u8);

impl Toc {
    /// Samples per frame at 48 kHz: 120 to 2880.
    pub fn frame_samples(self) -> usize {
        let config = self.0 >> 3;
        match config {
            0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
            12..=15 => [480, 960][usize::from(config & 1)],
            _ => 120 << (config & 3),
        }
    }

    /// Whether the packet codes two channels.
    pub fn is_stereo(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The packing code, 0 to 3.
    pub fn code(self) -> u8 {
        self.0 & 0x03
    }

    /// The same mode, bandwidth, frame size and channels under another packing code.
    pub fn with_code(self, code: u8) -> Toc {
        Toc((self.0 & 0xFC) | (code & 0x03))
    }
}

/// A packet taken apart.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    toc: Toc,
    frames: [&'a [u8]; MAX_FRAMES],
    count: usize,
}

impl<'a> Packet<'a> {
    /// Takes a packet apart; every length inside is checked.
    pub fn parse(data: &'a [u8]) -> Result<Packet<'a>, PacketError> {
        let (&first, body) = data.split_first().ok_or(PacketError::Empty)?;
        let mut packet = Packet {
            toc: Toc(first),
            frames: [&[]; MAX_FRAMES],
            count: 0,
        };
        match packet.toc.code() {
            0 => packet.push(body)?,
            1 => packet.push_equal(body, 2)?,
            2 => {
                let (len, rest) = read_length(body)?;
                let (one, two) = rest.split_at_checked(len).ok_or(PacketError::Lengths)?;
                packet.push(one)?;
                packet.push(two)?;
            }
            _ => packet.parse_counted(body)?,
        }
        Ok(packet)
    }

    /// The packet's first byte.
    pub fn toc(&self) -> Toc {
        self.toc
    }

    /// The compressed frames, in order; an empty one stands for silence or loss.
    pub fn frames(&self) -> &[&'a [u8]] {
        &self.frames[..self.count]
    }

    /// The packet's duration in samples at 48 kHz.
    pub fn samples(&self) -> usize {
        self.count * self.toc.frame_samples()
    }

    fn parse_counted(&mut self, body: &'a [u8]) -> Result<(), PacketError> {
        let (&header, mut rest) = body.split_first().ok_or(PacketError::Lengths)?;
        let count = usize::from(header & 0x3F);
        if count == 0 || count * self.toc.frame_samples() > MAX_PACKET_SAMPLES {
            return Err(PacketError::FrameCount);
        }
        if header & 0x40 != 0 {
            rest = strip_padding(rest)?;
        }
        if header & 0x80 == 0 {
            return self.push_equal(rest, count);
        }
        let mut lengths = [0; MAX_FRAMES];
        for length in &mut lengths[..count - 1] {
            (*length, rest) = read_length(rest)?;
        }
        for &length in &lengths[..count - 1] {
            let (frame, tail) = rest.split_at_checked(length).ok_or(PacketError::Lengths)?;
            self.push(frame)?;
            rest = tail;
        }
        self.push(rest)
    }

    fn push_equal(&mut self, body: &'a [u8], count: usize) -> Result<(), PacketError> {
        if !body.len().is_multiple_of(count) {
            return Err(PacketError::Lengths);
        }
        let each = body.len() / count;
        (0..count).try_for_each(|index| self.push(&body[index * each..(index + 1) * each]))
    }

    fn push(&mut self, frame: &'a [u8]) -> Result<(), PacketError> {
        if frame.len() > MAX_OPUS_FRAME {
            return Err(PacketError::FrameTooLong);
        }
        self.frames[self.count] = frame;
        self.count += 1;
        if self.samples() > MAX_PACKET_SAMPLES {
            return Err(PacketError::FrameCount);
        }
        Ok(())
    }
}

/// The duration of a packet of several streams, by its first stream (RFC 7845, section 3). The
/// lengths inside are left to the decoder.
pub fn first_stream_samples(data: &[u8]) -> Result<usize, PacketError> {
    let (&first, body) = data.split_first().ok_or(PacketError::Empty)?;
    let toc = Toc(first);
    let count = match toc.code() {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(body.first().ok_or(PacketError::Lengths)? & 0x3F),
    };
    match count * toc.frame_samples() {
        samples @ 1..=MAX_PACKET_SAMPLES => Ok(samples),
        _ => Err(PacketError::FrameCount),
    }
}

/// The duration of a packet in samples at 48 kHz.
pub fn packet_samples(data: &[u8]) -> Result<usize, PacketError> {
    Packet::parse(data).map(|packet| packet.samples())
}

/// One frame length: one byte below 252, else two.
fn read_length(body: &[u8]) -> Result<(usize, &[u8]), PacketError> {
    match *body {
        [first, ref rest @ ..] if first < 252 => Ok((usize::from(first), rest)),
        [first, second, ref rest @ ..] => Ok((usize::from(second) * 4 + usize::from(first), rest)),
        _ => Err(PacketError::Lengths),
    }
}

/// Removes the padding that a code 3 packet announces in front and carries at its end.
fn strip_padding(mut body: &[u8]) -> Result<&[u8], PacketError> {
    let mut padding = 0_usize;
    loop {
        let (&byte, rest) = body.split_first().ok_or(PacketError::Lengths)?;
        body = rest;
        if byte < 255 {
            padding += usize::from(byte);
            break;
        }
        padding += 254;
    }
    let kept = body
        .len()
        .checked_sub(padding)
        .ok_or(PacketError::Lengths)?;
    Ok(&body[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &[u8], samples: usize, frames: &[&[u8]]) {
        let packet = Packet::parse(data).expect("a valid packet");
        assert_eq!(packet.samples(), samples);
        assert_eq!(packet.frames(), frames);
    }

    #[test]
    fn every_config_has_its_frame_size() {
        let expected = [
            [480, 960, 1920, 2880],
            [480, 960, 1920, 2880],
            [480, 960, 1920, 2880],
            [480, 960, 480, 960],
            [120, 240, 480, 960],
            [120, 240, 480, 960],
            [120, 240, 480, 960],
            [120, 240, 480, 960],
        ];
        for (config, want) in expected.iter().flatten().enumerate() {
            assert_eq!(
                Toc((config as u8) << 3).frame_samples(),
                *want,
                "config {config}"
            );
        }
    }

    #[test]
    fn all_four_packings_come_apart() {
        check(&[0xF8, 0xFF, 0xFE], 960, &[&[0xFF, 0xFE]]);
        check(&[0xF1, 1, 2, 3, 4], 960, &[&[1, 2], &[3, 4]]);
        check(&[0xF2, 1, 9, 8, 7], 960, &[&[9], &[8, 7]]);
        check(&[0xEB, 0x83, 1, 2, 9, 8, 8, 7], 720, &[&[9], &[8, 8], &[7]]);
        check(&[0xFB, 0x42, 1, 5, 6, 0], 1920, &[&[5], &[6]]);
    }

    #[test]
    fn bad_lengths_are_refused() {
        assert_eq!(packet_samples(&[]), Err(PacketError::Empty));
        assert_eq!(packet_samples(&[0xF9, 1, 2, 3]), Err(PacketError::Lengths));
        assert_eq!(packet_samples(&[0xFA, 5, 1]), Err(PacketError::Lengths));
        assert_eq!(packet_samples(&[0xFB]), Err(PacketError::Lengths));
        assert_eq!(packet_samples(&[0xFB, 0]), Err(PacketError::FrameCount));
        assert_eq!(packet_samples(&[0xFB, 7]), Err(PacketError::FrameCount));
        assert_eq!(
            packet_samples(&[0xFB, 0x41, 200]),
            Err(PacketError::Lengths)
        );
        assert_eq!(
            packet_samples(&[0xF8; 1277]),
            Err(PacketError::FrameTooLong)
        );
    }
}
