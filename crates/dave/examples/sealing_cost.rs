//! What sealing costs per packet, with and without end-to-end encryption, on this machine:
//! `cargo run --release -p cadenza-dave --example sealing_cost`.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use cadenza_dave::{FrameSession, SenderKeys};
use cadenza_proto::clock_line::RtpClock;
use cadenza_proto::dave::BaseKey;
use cadenza_proto::rtp::{Sequence, Ssrc, Timestamp};
use cadenza_proto::transport::{Sealer, TransportMode};
use cadenza_proto::{FRAME_NANOS, MAX_DATAGRAM};

/// Bytes of a frame at 64 kbit/s.
const FRAME_LEN: usize = 160;
/// Packets of a round: a millisecond, so that some rounds are not interrupted even on a busy machine.
const PACKETS: u64 = 2_000;
/// The quickest of so many rounds counts.
const ROUNDS: usize = 500;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for (name, mode) in [
        ("aes256-gcm", TransportMode::Aes256GcmRtpsize),
        (
            "xchacha20-poly1305",
            TransportMode::XChaCha20Poly1305Rtpsize,
        ),
    ] {
        let clear = best_of(|| nanos_per_packet(mode, SenderKeys::Clear));
        let keyed = best_of(|| nanos_per_packet(mode, SenderKeys::Keyed(BaseKey::new([7; 16]))));
        let added = keyed - clear;
        writeln!(
            out,
            "{name}: {clear:.0} ns without, {keyed:.0} ns with DAVE: {added:.0} ns more"
        )?;
    }
    Ok(())
}

fn best_of(measure: impl Fn() -> f64) -> f64 {
    (0..ROUNDS).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

fn nanos_per_packet(mode: TransportMode, keys: SenderKeys) -> f64 {
    let mut frames = FrameSession::new(keys);
    let mut sealer = Sealer::new(mode, &[3; 32], [0; 24]);
    let mut clock = RtpClock::new(Ssrc(1), Sequence(0), Timestamp(0), 0);
    let mut buffer = [0x78; FRAME_LEN + 16];
    let mut datagram = [0; MAX_DATAGRAM];
    let began = Instant::now();
    for packet in 0..PACKETS {
        let Ok(len) = frames.protect(black_box(&mut buffer), FRAME_LEN) else {
            continue;
        };
        let header = clock.stamp(packet * FRAME_NANOS);
        let _ = black_box(sealer.seal(&header, &buffer[..len], &mut datagram));
    }
    began.elapsed().as_nanos() as f64 / PACKETS as f64
}
