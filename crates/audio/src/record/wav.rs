//! The header of a RIFF WAVE file of 16-bit samples.

use crate::opus::PcmFormat;

/// Bytes before the samples.
pub const WAV_HEADER_LEN: usize = 44;
/// The most bytes of samples that such a file can count: 6 h of 48 kHz stereo.
pub const MAX_WAV_DATA: u64 = (u32::MAX - WAV_HEADER_LEN as u32) as u64 / 4 * 4;

/// The header for `data_len` bytes of samples; lengths beyond [`MAX_WAV_DATA`] are clamped.
pub fn wav_header(format: PcmFormat, data_len: u64) -> [u8; WAV_HEADER_LEN] {
    let data_len = data_len.min(MAX_WAV_DATA) as u32;
    let channels = format.channels() as u16;
    let frame_len = channels * 2;
    let mut out = [0; WAV_HEADER_LEN];
    out[..4].copy_from_slice(b"RIFF");
    out[4..8].copy_from_slice(&(data_len + WAV_HEADER_LEN as u32 - 8).to_le_bytes());
    out[8..16].copy_from_slice(b"WAVEfmt ");
    out[16..20].copy_from_slice(&16_u32.to_le_bytes());
    out[20..22].copy_from_slice(&1_u16.to_le_bytes());
    out[22..24].copy_from_slice(&channels.to_le_bytes());
    out[24..28].copy_from_slice(&format.sample_rate().to_le_bytes());
    let byte_rate = format.sample_rate() * u32::from(frame_len);
    out[28..32].copy_from_slice(&byte_rate.to_le_bytes());
    out[32..34].copy_from_slice(&frame_len.to_le_bytes());
    out[34..36].copy_from_slice(&16_u16.to_le_bytes());
    out[36..40].copy_from_slice(b"data");
    out[40..].copy_from_slice(&data_len.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_follows() {
        let format = PcmFormat::new(16_000, 1).expect("a known format");
        let header = wav_header(format, 6);
        assert_eq!(
            header[..16],
            *b"RIFF\x2A\0\0\0WAVEfmt ",
            "36 bytes and 6 of samples"
        );
        assert_eq!(header[24..28], 16_000_u32.to_le_bytes());
        assert_eq!(header[28..32], 32_000_u32.to_le_bytes());
        assert_eq!(header[40..], 6_u32.to_le_bytes());
        assert_eq!(
            wav_header(format, u64::MAX)[40..],
            ((u32::MAX - 44) / 4 * 4).to_le_bytes()
        );
    }
}
