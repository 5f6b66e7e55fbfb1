//! What turns an Opus frame into a sealed datagram: keys, SSRC, sequence and timestamp.

use cadenza_proto::clock_line::RtpClock;
use cadenza_proto::rtp::{Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Sealer, TransportMode};

/// One key's worth of sending. It outlives its socket, because its nonces must never start again.
pub struct Session {
    sealer: Sealer,
    ssrc: Ssrc,
    seed: SessionSeed,
    /// Begins with the first packet.
    rtp: Option<RtpClock>,
}

/// Start values of a session. RFC 3550 wants them at random.
#[derive(Clone, Copy, Default)]
pub struct SessionSeed {
    /// Where the nonces start.
    pub nonce: [u8; 24],
    /// The first packet's sequence number.
    pub sequence: u16,
    /// The first packet's timestamp.
    pub timestamp: u32,
}

/// The frame cannot be sealed, because it is too long.
pub(crate) struct NotSealed;

impl Session {
    /// A session that has sent nothing yet.
    pub fn new(mode: TransportMode, key: &[u8; 32], ssrc: u32, seed: SessionSeed) -> Session {
        Session {
            sealer: Sealer::new(mode, key, seed.nonce),
            ssrc: Ssrc(ssrc),
            seed,
            rtp: None,
        }
    }

    /// Goes on under another SSRC.
    pub(crate) fn set_ssrc(&mut self, ssrc: u32) {
        self.ssrc = Ssrc(ssrc);
    }

    /// Goes on in the numbering of another session of the same stream.
    pub(crate) fn continue_stream(&mut self, former: &Session) {
        if former.ssrc == self.ssrc {
            self.rtp = former.rtp;
        }
    }

    /// As [`RtpClock::moved`]; before the first packet nothing binds a frame to its place.
    pub(crate) fn moved(&self, due_ns: u64, offset_ns: u64) -> Option<u64> {
        Some(self.rtp.as_ref()?.moved(due_ns, offset_ns))
    }

    /// Writes the datagram for `payload`, due at `due_ns`, to `out` and returns its length.
    pub(crate) fn seal(
        &mut self,
        due_ns: u64,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, NotSealed> {
        let (seed, ssrc) = (self.seed, self.ssrc);
        let rtp = self.rtp.get_or_insert_with(|| {
            let (sequence, timestamp) = (Sequence(seed.sequence), Timestamp(seed.timestamp));
            RtpClock::new(ssrc, sequence, timestamp, due_ns)
        });
        let mut header = rtp.stamp(due_ns);
        header.ssrc = ssrc;
        self.sealer
            .seal(&header, payload, out)
            .map_err(|_| NotSealed)
    }
}
