//! RTCP compound packets (RFC 3550, section 6), as far as a listener can use them.
//!
//! Nothing has to be answered. What a report block says about our own SSRC is how our sound arrives.

use crate::rtp::Ssrc;

const HEADER_LEN: usize = 4;
const SENDER_INFO_LEN: usize = 20;
const REPORT_LEN: usize = 24;

/// One packet of a compound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RtcpPacket<'a> {
    /// What a sender sent so far, and what it receives.
    SenderReport {
        /// Who reports.
        ssrc: Ssrc,
        /// NTP time of the report, 32.32 fixed point.
        ntp: u64,
        /// The same moment in RTP time.
        rtp_timestamp: u32,
        /// Packets sent.
        packets: u32,
        /// Payload bytes sent.
        octets: u32,
        /// What it receives.
        reports: Reports<'a>,
    },
    /// What a receiver receives.
    ReceiverReport {
        /// Who reports.
        ssrc: Ssrc,
        /// What it receives.
        reports: Reports<'a>,
    },
    /// These sources leave; the count is that of the SSRCs, at most 31.
    Bye {
        /// The first of them.
        ssrc: Option<Ssrc>,
        /// How many.
        count: u8,
    },
    /// A kind that carries nothing of use here.
    Other {
        /// Payload type, 200 to 207.
        packet_type: u8,
    },
}

/// How one source's packets arrive at the reporter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReportBlock {
    /// Whose packets.
    pub ssrc: Ssrc,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative when more came than were sent.
    pub total_lost: i32,
    /// Highest sequence number, with its wraps in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter in samples.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time.
    pub last_sender_report: u32,
    /// Time since that report, in 1/65,536 s.
    pub delay_since_report: u32,
}

/// The report blocks of one packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reports<'a>(&'a [u8]);

impl Iterator for Reports<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<REPORT_LEN>()?;
        self.0 = rest;
        let lost = word(block, 4);
        Some(ReportBlock {
            ssrc: Ssrc(word(block, 0)),
            fraction_lost: (lost >> 24) as u8,
            // Sign-extends 24 bits.
            total_lost: ((lost << 8) as i32) >> 8,
            highest_sequence: word(block, 8),
            jitter: word(block, 12),
            last_sender_report: word(block, 16),
            delay_since_report: word(block, 20),
        })
    }
}

/// The packets of a decrypted compound, up to the first that does not fit.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Reads from the first header on; the eight bytes in clear belong to it.
    #[must_use]
    pub fn new(plain: &'a [u8]) -> Self {
        Self { rest: plain }
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = RtcpPacket<'a>;

    fn next(&mut self) -> Option<RtcpPacket<'a>> {
        let header: &[u8; HEADER_LEN] = self.rest.first_chunk()?;
        let words = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let len = HEADER_LEN + 4 * words;
        if header[0] >> 6 != 2 || len > self.rest.len() {
            self.rest = &[];
            return None;
        }
        let (count, packet_type) = (header[0] & 0x1F, header[1]);
        let (packet, rest) = self.rest.split_at(len);
        self.rest = rest;
        let body = &packet[HEADER_LEN..];
        Some(read(count, packet_type, body).unwrap_or(RtcpPacket::Other { packet_type }))
    }
}

fn read(count: u8, packet_type: u8, body: &[u8]) -> Option<RtcpPacket<'_>> {
    match packet_type {
        200 => {
            let (info, rest) = body.split_at_checked(4 + SENDER_INFO_LEN)?;
            let (high, low) = (word(info, 4), word(info, 8));
            Some(RtcpPacket::SenderReport {
                ssrc: Ssrc(word(info, 0)),
                ntp: (u64::from(high) << 32) | u64::from(low),
                rtp_timestamp: word(info, 12),
                packets: word(info, 16),
                octets: word(info, 20),
                reports: reports(count, rest),
            })
        }
        201 => {
            let (ssrc, rest) = body.split_at_checked(4)?;
            Some(RtcpPacket::ReceiverReport {
                ssrc: Ssrc(word(ssrc, 0)),
                reports: reports(count, rest),
            })
        }
        203 => Some(RtcpPacket::Bye {
            ssrc: (count > 0 && body.len() >= 4).then(|| Ssrc(word(body, 0))),
            count,
        }),
        _ => None,
    }
}

fn reports(count: u8, rest: &[u8]) -> Reports<'_> {
    let claimed = usize::from(count) * REPORT_LEN;
    Reports(&rest[..claimed.min(rest.len())])
}

/// Four bytes at `at`, which the caller has made sure of.
fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Opener, TransportMode};

    /// A receiver report about SSRC 123456, computed with OpenSSL and libsodium.
    #[test]
    fn a_sealed_receiver_report_is_read_in_both_modes() {
        let key: Vec<u8> = (0..32).collect();
        let cases = [
            (
                TransportMode::Aes256GcmRtpsize,
                "81c90007000000015bdbc9ba22f2a565dd16070ece0e74b8ab2bd7fb610671674580a66a353f53d85e52a271f627c76f00000004",
            ),
            (
                TransportMode::XChaCha20Poly1305Rtpsize,
                "81c90007000000016ef59fdc9358e02ceff663e9d26a97b707d9cfa4531befe106f1a1c2b6fba5adb8d421c8798d9b6500000004",
            ),
        ];
        for (mode, hex) in cases {
            let mut datagram = bytes(hex);
            let opener = Opener::new(mode, key.as_slice().try_into().unwrap());
            let rest = opener.open_rtcp(&mut datagram).unwrap().len();
            let mut compound = Compound::new(&datagram[..8 + rest]);
            let Some(RtcpPacket::ReceiverReport { ssrc, mut reports }) = compound.next() else {
                panic!("no receiver report");
            };
            let block = reports.next().unwrap();
            assert_eq!((ssrc, block.ssrc), (Ssrc(1), Ssrc(123_456)));
            assert_eq!((block.total_lost, block.highest_sequence), (0, 0x11234));
            assert!(reports.next().is_none() && compound.next().is_none());
        }
    }

    /// The compound of a native client: a sender report and an empty SDES.
    #[test]
    fn a_native_clients_compound_is_read() {
        let plain = bytes(
            "80c800060005ec18e957a59b69374bc60a5b61d000005b8e001e661b81ca00020005ec1801000000",
        );
        let packets: Vec<RtcpPacket<'_>> = Compound::new(&plain).collect();
        let RtcpPacket::SenderReport {
            ssrc,
            rtp_timestamp,
            packets: sent,
            octets,
            mut reports,
            ..
        } = packets[0]
        else {
            panic!("no sender report");
        };
        assert_eq!((ssrc, rtp_timestamp), (Ssrc(0x5EC18), 0x0A5B_61D0));
        assert_eq!((sent, octets), (0x5B8E, 0x001E_661B));
        assert!(reports.next().is_none());
        assert_eq!(packets[1..], [RtcpPacket::Other { packet_type: 202 }]);
    }

    #[test]
    fn lies_about_lengths_and_counts_end_the_reading() {
        for hex in ["81c9ffff00000001", "41c9000100000001", "81", ""] {
            assert_eq!(Compound::new(&bytes(hex)).count(), 0, "{hex}");
        }
        let lying = bytes("9fc9000100000001");
        let Some(RtcpPacket::ReceiverReport { reports, .. }) = Compound::new(&lying).next() else {
            panic!("no receiver report");
        };
        assert_eq!(reports.count(), 0, "31 reports were claimed");
        let lost = bytes("81c9000700000001000000020affffff00000000000000000000000000000000");
        let Some(RtcpPacket::ReceiverReport { mut reports, .. }) = Compound::new(&lost).next()
        else {
            panic!("no receiver report");
        };
        let block = reports.next().unwrap();
        assert_eq!((block.fraction_lost, block.total_lost), (10, -1));
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }
}
