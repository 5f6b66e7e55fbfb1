//! The identification header of an Opus stream (RFC 7845, section 5.1).

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
}

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
        assert!(!OpusHead::parse(surround).expect("parses").single_stream);
    }
}
