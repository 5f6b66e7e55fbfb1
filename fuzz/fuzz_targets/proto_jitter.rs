//! Any arrivals through the jitter buffer: an unbroken line, a bounded queue.
#![no_main]

use cadenza_proto::jitter::{Arrival, JitterBuffer, JitterConfig};
use cadenza_proto::rtp::{Sequence, Timestamp};
use libfuzzer_sys::fuzz_target;

const CAPACITY: usize = 16;

fuzz_target!(|arrivals: Vec<(u32, u16, u32, u32, bool)>| {
    let config = JitterConfig {
        capacity: CAPACITY,
        ..JitterConfig::default()
    };
    let mut buffer = JitterBuffer::new(config);
    let (mut now_ns, mut end) = (0_u64, 0_u64);
    for (after_us, sequence, timestamp, samples, silence) in arrivals {
        now_ns += u64::from(after_us) * 1_000;
        buffer.insert(Arrival {
            at_ns: now_ns,
            sequence: Sequence(sequence),
            timestamp: Timestamp(timestamp),
            samples,
            silence,
            payload: (),
        });
        while let Some(playout) = buffer.poll(now_ns) {
            assert_eq!(playout.stretch().position, end);
            end += playout.stretch().samples;
        }
        assert!(buffer.len() < CAPACITY);
    }
    while buffer.poll(u64::MAX).is_some() {}
    assert!(buffer.is_empty());
});
