//! The identification header of an Opus stream (RFC 7845, section 5.1).

use super::packet::{PacketError, first_stream_samples, packet_samples};

/// The fields that matter for playing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpusHead {
    /// Channels of the source.
    pub channels: u8,
    /// Samples at 48 kHz to leave out at the beginning.
    pub pre_skip: u16,
    /// Gain to apply when decoding, in 1/256 dB.
    pub gain_q8: i16,
    /// Whether one mono or stereo stream carries everything, which is what a voice channel can take.
    pub single_stream: bool,
    /// How several streams make up the channels, when they can be decoded and mixed to stereo.
    pub surround: Option<Surround>,
}

/// The channel mapping table (RFC 7845, section 5.1.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Surround {
    /// Opus streams in each packet.
    pub streams: u8,
    /// How many of them, the first ones, are stereo.
    pub coupled: u8,
    /// The decoded channel that each output channel takes; 255 is silence.
    pub mapping: [u8; MAX_SURROUND],
    /// Whether the channels are those of a loudspeaker layout in Vorbis order.
    pub positioned: bool,
}

/// The most channels of a loudspeaker layout: 7.1.
pub const MAX_SURROUND: usize = 8;

impl OpusHead {
    /// Reads the header packet; `None` when it is none, or of an unknown major version.
    pub fn parse(data: &[u8]) -> Option<OpusHead> {
        let fields: &[u8; 11] = data.strip_prefix(b"OpusHead")?.first_chunk()?;
        let [
            version,
            channels,
            skip_low,
            skip_high,
            _,
            _,
            _,
            _,
            gain_low,
            gain_high,
            family,
        ] = *fields;
        if version & 0xF0 != 0 || channels == 0 {
            return None;
        }
        let single_stream = match family {
            0 => channels <= 2,
            // One stream of as many channels as there are: the mapping can only be the plain one.
            _ => matches!(
                (channels, data.get(19..)),
                (1, Some([1, 0, 0, ..])) | (2, Some([1, 1, 0, 1, ..]))
            ),
        };
        Some(OpusHead {
            channels,
            pre_skip: u16::from_le_bytes([skip_low, skip_high]),
            gain_q8: i16::from_le_bytes([gain_low, gain_high]),
            single_stream,
            surround: data
                .get(19..)
                .filter(|_| !single_stream)
                .and_then(|table| Surround::parse(family, channels, table)),
        })
    }

    /// Whether the stream can be played at all.
    pub fn is_playable(&self) -> bool {
        self.single_stream || self.surround.is_some()
    }

    /// The duration of one of the stream's packets in samples at 48 kHz.
    pub fn packet_samples(&self, packet: &[u8]) -> Result<usize, PacketError> {
        if self.single_stream {
            packet_samples(packet)
        } else {
            first_stream_samples(packet)
        }
    }
}

impl Surround {
    /// Reads the table of mapping families 1 and 255, within what libopus takes.
    fn parse(family: u8, channels: u8, table: &[u8]) -> Option<Surround> {
        let count = usize::from(channels);
        let (&[streams, coupled], rest) = table.split_first_chunk::<2>()?;
        let decoded = u16::from(streams) + u16::from(coupled);
        let named = rest.get(..count)?;
        let sound = matches!(family, 1 | 255)
            && count <= MAX_SURROUND
            && streams > 0
            && coupled <= streams
            && decoded <= 255
            && named
                .iter()
                .all(|&index| index == 255 || u16::from(index) < decoded);
        let mut mapping = [255; MAX_SURROUND];
        mapping.get_mut(..count)?.copy_from_slice(named);
        sound.then_some(Surround {
            streams,
            coupled,
            mapping,
            positioned: family == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let head = OpusHead::parse(b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\xFF\0");
        let want = OpusHead {
            channels: 2,
            pre_skip: 312,
            gain_q8: -256,
            single_stream: true,
            surround: None,
        };
        assert_eq!(head, Some(want));
    }

    #[test]
    fn other_headers_are_refused() {
        assert_eq!(
            OpusHead::parse(b"OpusTags\x01\x02\x38\x01\x80\xBB\0\0\0\0\0"),
            None
        );
        assert_eq!(
            OpusHead::parse(b"OpusHead\x11\x02\x38\x01\x80\xBB\0\0\0\0\0"),
            None
        );
        assert_eq!(OpusHead::parse(b"OpusHead\x01"), None);
        let surround =
            b"OpusHead\x01\x06\x38\x01\x80\xBB\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";
        let head = OpusHead::parse(surround).expect("parses");
        assert!(!head.single_stream && head.is_playable());
        let layout = head.surround.expect("has a table");
        assert_eq!(
            (layout.streams, layout.coupled, layout.mapping[5]),
            (4, 2, 5)
        );
    }

    #[test]
    fn impossible_tables_are_refused() {
        let front = b"OpusHead\x01\x06\x38\x01\x80\xBB\0\0\0\0".to_vec();
        for table in [
            &b"\x01\x04\x02\0\x04\x01\x02\x03\x06"[..],
            b"\x01\x00\x00\0\0\0\0\0\0",
            b"\x01\x02\x03\0\0\0\0\0\0",
            b"\x02\x04\x02\0\x04\x01\x02\x03\x05",
            b"\x01\x04\x02\0\x04",
        ] {
            let head = OpusHead::parse(&[&front[..], table].concat());
            assert!(!head.is_some_and(|head| head.is_playable()), "{table:?}");
        }
    }
}
