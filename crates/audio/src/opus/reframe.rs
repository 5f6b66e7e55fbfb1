//! Makes 20 ms packets of packets of other durations by moving whole frames, with no decoding.

use crate::{FRAME_SAMPLES, MAX_OPUS_FRAME};

use super::packet::{Packet, PacketError, Toc};

const MAX_PENDING: usize = 8;

/// Frames that cannot be put into 20 ms packets as they are; the sound has to be decoded instead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsplittable {
    /// A single frame lasts longer than 20 ms.
    LongFrame,
    /// The coding changes in the middle of a 20 ms packet.
    ModeChange,
    /// The 20 ms packet would be longer than 1275 bytes.
    TooLong,
    /// The packet itself is malformed.
    Malformed(PacketError),
}

/// Collects frames until 20 ms are together.
#[derive(Debug, Default)]
pub struct Reframer {
    toc: Option<Toc>,
    lengths: [usize; MAX_PENDING],
    count: usize,
    bytes: Vec<u8>,
}

impl Reframer {
    /// Takes a packet and hands every finished 20 ms packet to `emit`, in order.
    ///
    /// A packet that already lasts 20 ms passes through byte for byte. After an error nothing of this
    /// packet has been kept or emitted, and what was pending before is gone.
    pub fn push(&mut self, data: &[u8], mut emit: impl FnMut(&[u8])) -> Result<(), Unsplittable> {
        let packet = Packet::parse(data).map_err(Unsplittable::Malformed)?;
        if self.count == 0 && packet.samples() == FRAME_SAMPLES {
            if data.len() > MAX_OPUS_FRAME {
                return Err(Unsplittable::TooLong);
            }
            emit(data);
            return Ok(());
        }
        self.check(&packet).inspect_err(|_| self.clear())?;
        self.toc = Some(packet.toc().with_code(0));
        let mut out = Vec::with_capacity(MAX_OPUS_FRAME);
        for frame in packet.frames() {
            self.lengths[self.count] = frame.len();
            self.count += 1;
            self.bytes.extend_from_slice(frame);
            if self.count * packet.toc().frame_samples() == FRAME_SAMPLES {
                self.write(&mut out);
                emit(&out);
                self.count = 0;
                self.bytes.clear();
            }
        }
        Ok(())
    }

    /// Whether [`push`](Reframer::push) would hand out these very bytes and nothing else.
    pub fn passes_whole(&self, data: &[u8]) -> bool {
        let lasts_20_ms = |packet: Packet<'_>| packet.samples() == FRAME_SAMPLES;
        self.count == 0
            && data.len() <= MAX_OPUS_FRAME
            && Packet::parse(data).is_ok_and(lasts_20_ms)
    }

    /// Finishes a pending packet with empty frames, which a decoder fills by concealment.
    pub fn finish(&mut self, emit: impl FnOnce(&[u8])) {
        let Some(toc) = self.toc.filter(|_| self.count > 0) else {
            return;
        };
        while self.count * toc.frame_samples() < FRAME_SAMPLES {
            self.lengths[self.count] = 0;
            self.count += 1;
        }
        let mut out = Vec::with_capacity(MAX_OPUS_FRAME);
        self.write(&mut out);
        emit(&out);
        self.clear();
    }

    /// Drops what is pending, as after a seek.
    pub fn clear(&mut self) {
        self.toc = None;
        self.count = 0;
        self.bytes.clear();
    }

    /// Samples at 48 kHz that wait for the rest of their packet.
    pub fn pending_samples(&self) -> usize {
        self.toc.map_or(0, |toc| self.count * toc.frame_samples())
    }

    /// Proves beforehand that every 20 ms group of the pending and the new frames can be written. A last one that is
    /// not full yet is as one that is: what comes, or the empty frames of [`finish`](Reframer::finish), has a length, too.
    fn check(&self, packet: &Packet<'_>) -> Result<(), Unsplittable> {
        let toc = packet.toc().with_code(0);
        if toc.frame_samples() > FRAME_SAMPLES {
            return Err(Unsplittable::LongFrame);
        }
        if self.count > 0 && self.toc != Some(toc) {
            return Err(Unsplittable::ModeChange);
        }
        let per_packet = FRAME_SAMPLES / toc.frame_samples();
        let sizes: Vec<usize> = self.lengths[..self.count]
            .iter()
            .copied()
            .chain(packet.frames().iter().map(|frame| frame.len()))
            .collect();
        let room = MAX_OPUS_FRAME - header_len(per_packet);
        let fits = sizes
            .chunks(per_packet)
            .all(|group| group.iter().sum::<usize>() <= room);
        if fits {
            Ok(())
        } else {
            Err(Unsplittable::TooLong)
        }
    }

    /// Writes the pending frames as one packet under the shortest packing.
    fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        let toc = self.toc.unwrap_or(Toc(0));
        let lengths = &self.lengths[..self.count];
        let equal = lengths.windows(2).all(|pair| pair[0] == pair[1]);
        match (lengths, equal) {
            ([_], _) => out.push(toc.with_code(0).0),
            ([_, _], true) => out.push(toc.with_code(1).0),
            ([first, _], false) => {
                out.push(toc.with_code(2).0);
                write_length(*first, out);
            }
            (_, true) => out.extend([toc.with_code(3).0, lengths.len() as u8]),
            (_, false) => {
                out.extend([toc.with_code(3).0, 0x80 | lengths.len() as u8]);
                for &length in &lengths[..lengths.len() - 1] {
                    write_length(length, out);
                }
            }
        }
        out.extend_from_slice(&self.bytes);
    }
}

/// An upper bound of the bytes that come before the frames of a packet of so many.
fn header_len(frames: usize) -> usize {
    match frames {
        0 | 1 => 1,
        2 => 3,
        count => 2 + 2 * (count - 1),
    }
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    if length < 252 {
        out.push(length as u8);
    } else {
        let low = 252 + (length & 3);
        out.extend([low as u8, ((length - low) / 4) as u8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reframe(packets: &[&[u8]]) -> Result<Vec<Vec<u8>>, Unsplittable> {
        let mut reframer = Reframer::default();
        let mut out = Vec::new();
        for packet in packets {
            reframer.push(packet, |bytes| out.push(bytes.to_vec()))?;
        }
        reframer.finish(|bytes| out.push(bytes.to_vec()));
        Ok(out)
    }

    #[test]
    fn twenty_milliseconds_pass_untouched() {
        let odd = [0xFB, 0x41, 3, 1, 2, 0, 0, 0];
        let mut reframer = Reframer::default();
        assert!(reframer.passes_whole(&odd));
        assert!(
            !reframer.passes_whole(&[0xF0, 1])
                && !reframer.passes_whole(&[0xFF, 0x83, 1, 2, 9, 8, 8, 7])
        );
        assert_eq!(reframer.push(&[0xF0, 1], |_| ()), Ok(()));
        assert!(
            !reframer.passes_whole(&odd),
            "half a packet waits before it"
        );
        assert_eq!(reframe(&[&odd]), Ok(vec![odd.to_vec()]));
    }

    #[test]
    fn sixty_milliseconds_of_three_frames_become_three_packets() {
        let packet = [0xFF, 0x83, 1, 2, 9, 8, 8, 7];
        assert_eq!(
            reframe(&[&packet]),
            Ok(vec![vec![0xFC, 9], vec![0xFC, 8, 8], vec![0xFC, 7]])
        );
    }

    #[test]
    fn short_frames_are_merged() {
        assert_eq!(
            reframe(&[&[0xF0, 1], &[0xF0, 2], &[0xF0, 3], &[0xF0, 4, 4]]),
            Ok(vec![vec![0xF1, 1, 2], vec![0xF2, 1, 3, 4, 4]])
        );
        let fives: Vec<&[u8]> = vec![&[0xE8, 1], &[0xE8, 2], &[0xE8, 3, 3], &[0xE8, 4]];
        assert_eq!(
            reframe(&fives),
            Ok(vec![vec![0xEB, 0x84, 1, 1, 2, 1, 2, 3, 3, 4]])
        );
    }

    #[test]
    fn an_odd_end_is_filled_with_an_empty_frame() {
        assert_eq!(reframe(&[&[0xF0, 1]]), Ok(vec![vec![0xF2, 1, 1]]));
    }

    #[test]
    fn long_lengths_survive() {
        let long = [vec![0xF0], vec![5; 600]].concat();
        let out = reframe(&[&long, &[0xF0, 1]]).expect("fits");
        let packet = Packet::parse(&out[0]).expect("valid");
        assert_eq!(packet.frames(), [&[5; 600][..], &[1]]);
    }

    #[test]
    fn what_cannot_be_moved_is_named() {
        assert_eq!(reframe(&[&[0x18, 1]]), Err(Unsplittable::LongFrame));
        assert_eq!(
            reframe(&[&[0xF0, 1], &[0xF4, 1]]),
            Err(Unsplittable::ModeChange)
        );
        let big = [vec![0xF0], vec![5; 700]].concat();
        assert_eq!(reframe(&[&big, &big]), Err(Unsplittable::TooLong));
    }

    #[test]
    fn the_end_has_room_for_its_empty_frames() {
        let frame_of = |bytes: usize| [vec![0xE0], vec![5; bytes]].concat();
        assert_eq!(reframe(&[&frame_of(1274)]), Err(Unsplittable::TooLong));
        let out = reframe(&[&frame_of(1259)]).expect("fits");
        assert!(out[0].len() <= MAX_OPUS_FRAME, "{} bytes", out[0].len());
    }
}
